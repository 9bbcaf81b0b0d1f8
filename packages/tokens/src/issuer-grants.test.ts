import { isWherryError } from '@wherry/core';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { isServiceSubject, type ActorClaim } from './access-token.ts';
import { createIssuer, type Issuer, type ServiceGrant, type TokenGrant } from './issuer.ts';
import { ISSUER, TestAuthority, testKey } from './testing/fixtures.ts';

const authority = new TestAuthority();
const { second } = authority.clock;
const issuer: Issuer = createIssuer({ keys: authority.keys, issuer: ISSUER, audience: ['shop', 'stock', 'post'], lifeS: 600 });
const verifier = authority.verifier({ audience: ['shop', 'stock', 'post'] });
const user: TokenGrant = {
  userId: '42',
  authorities: ['ROLE_USER'],
  clientId: 'web',
  sessionId: 77n,
  generation: 1,
  issuedAt: second,
  authTime: second,
  sessionExpiresAt: null,
};
const service: ServiceGrant = { clientId: 'stock', authorities: ['orders:read'], issuedAt: second };

const codeOf = (work: () => unknown): string => {
  try {
    work();
    return 'issued';
  } catch (error) {
    return isWherryError(error) ? error.code : String(error);
  }
};

describe('audience', () => {
  test('is the first of the issuer where none is asked for, one as text, several as a list', () => {
    expect(issuer.issue(user).claims.aud).toBe('shop');
    expect(issuer.issue({ ...user, audience: 'stock' }).claims.aud).toBe('stock');
    expect(issuer.issue({ ...user, audience: ['post'] }).claims.aud).toBe('post');
    expect(issuer.issue({ ...user, audience: ['post', 'stock', 'post'] }).claims.aud).toEqual(['post', 'stock']);
    expect(issuer.issueToService({ ...service, audience: 'stock' }).claims.aud).toBe('stock');
  });

  test.each([['bank'], [['shop', 'bank']], [[]], [''], ['shop '], ['SHOP'], ['__proto__']])(
    "that is not the issuer's is refused: %j",
    (audience) => {
      expect(codeOf(() => issuer.issue({ ...user, audience }))).toBe('target_invalid');
    },
  );

  test('of one is no audience of another', () => {
    const { token } = issuer.issue({ ...user, audience: ['stock', 'post'] });
    expect(authority.verifier({ audience: 'stock' }).verify(token).ok).toBe(true);
    expect(authority.verifier({ audience: 'shop' }).verify(token)).toMatchObject({ reason: 'token_audience_wrong' });
  });
});

describe('life', () => {
  test('is shortened, and never lengthened, by what the grant says', () => {
    expect(issuer.issue({ ...user, lifeS: 60 }).claims.exp).toBe(second + 60);
    expect(issuer.issue({ ...user, lifeS: 6000 }).claims.exp).toBe(second + 600);
    expect(issuer.issue({ ...user, notAfter: second + 7 }).claims.exp).toBe(second + 7);
    expect(issuer.issue({ ...user, notAfter: second + 7000 }).claims.exp).toBe(second + 600);
    expect(issuer.issueToService({ ...service, lifeS: 30 }).claims.exp).toBe(second + 30);
  });

  test.each([{ lifeS: 0 }, { lifeS: -1 }, { notAfter: second }, { notAfter: 0 }])('at its end gives no token: %o', (limits) => {
    expect(codeOf(() => issuer.issue({ ...user, ...limits }))).toBe('session_expired');
  });

  test.each([{ lifeS: Number.NaN }, { lifeS: 1.5 }, { notAfter: Number.NaN }])(
    'that is no number of seconds gives none either: %o',
    (limits) => {
      expect(codeOf(() => issuer.issue({ ...user, ...limits }))).toBe('grant_invalid');
    },
  );
});

describe('scope, act and cnf', () => {
  const jkt = testKey().kid;

  test('come back as they were given', () => {
    const act: ActorClaim = { sub: 'client:stock', client_id: 'stock', act: { sub: 'client:web' } };
    const { token } = issuer.issue({ ...user, scope: 'orders:read stock', act, cnf: { jkt } });
    expect(verifier.verify(token, { jkt })).toMatchObject({ ok: true, claims: { scope: 'orders:read stock', act, cnf: { jkt } } });
  });

  test('and cannot be changed by who reads them', () => {
    const { token } = issuer.issue({ ...user, act: { sub: 'a', act: { sub: 'b' } }, cnf: { jkt }, audience: ['shop', 'stock'] });
    const verification = verifier.verify(token, 'inspected');
    if (!verification.ok) throw new Error(verification.reason);
    const { act, cnf, aud } = verification.claims;
    for (const value of [act, act?.act, cnf, aud]) expect(Object.isFrozen(value)).toBe(true);
  });

  test.each<Partial<TokenGrant>>([
    { scope: '' },
    { scope: 'a\nb' },
    { cnf: { jkt: '' } },
    { cnf: { jkt: 'x' } },
    { act: { sub: '' } },
    { act: { sub: '1', act: { sub: '2', act: { sub: '3', act: { sub: '4', act: { sub: '5' } } } } } },
  ])('of another form are not issued: %o', (limits) => {
    expect(codeOf(() => issuer.issue({ ...user, ...limits }))).toBe('grant_invalid');
  });
});

describe('a service', () => {
  test('is told from every user', () => {
    const { token, claims } = issuer.issueToService(service);
    expect(claims).toMatchObject({ sub: 'client:stock', userId: 'client:stock', client_id: 'stock', gen: 0, auth_time: second });
    expect(Object.keys(claims)).not.toContain('sid');
    expect(verifier.verify(token)).toMatchObject({
      ok: true,
      principal: { kind: 'jwt', service: true, userId: 'client:stock', clientId: 'stock', authorities: ['orders:read'] },
    });
    // The user who is called as the client is.
    const namesake = verifier.verify(issuer.issue({ ...user, userId: 'stock', clientId: 'stock' }).token);
    expect(namesake).toMatchObject({ ok: true, principal: { userId: 'stock' } });
    expect(namesake.ok && namesake.principal.service).toBeFalsy();
  });

  test('and no user becomes one, whatever he and his client are called', () => {
    const text = fc.oneof(
      fc.string({ minLength: 1 }),
      fc.constantFrom('client:', 'client:stock', 'client:client:stock', 'Client:x', ' client:x'),
    );
    fc.assert(
      fc.property(text, text, fc.boolean(), (userId, clientId, named) => {
        const grant: TokenGrant = { ...user, userId, clientId };
        const { sessionId: _, ...bare } = grant;
        const code = codeOf(() => {
          const verification = verifier.verify(issuer.issue(named ? grant : bare).token);
          expect(verification).toMatchObject({ ok: true, principal: { userId } });
          expect(verification.ok && verification.principal.service).toBeFalsy();
        });
        expect(code).toBe(isServiceSubject(userId) ? 'grant_invalid' : 'issued');
      }),
    );
  });

  test('is cut off by the generation of its own subject, not by that of a user of its name', () => {
    const { token } = issuer.issueToService({ ...service, clientId: 'post' });
    authority.revocations.raise('post', 5);
    expect(verifier.verify(token)).toMatchObject({ ok: true });
    authority.revocations.raise('client:post', 1);
    expect(verifier.verify(token)).toMatchObject({ reason: 'token_generation_old' });
  });
});

test('an issuer without an audience is none', () => {
  expect(codeOf(() => createIssuer({ keys: authority.keys, issuer: ISSUER, audience: [], lifeS: 60 }))).toBe('config_invalid');
});
