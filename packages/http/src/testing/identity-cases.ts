import { randomBytes } from 'node:crypto';
import type { Clock } from '@wherry/core';
import { describe, expect, it } from 'vitest';
import type { GatewayPrincipalOptions } from '../admission.ts';
import { encodeIdentity } from '../identity-headers.ts';
import { IdentitySigner } from '../identity-signature.ts';
import { callKey } from '../call-chain.ts';
import { currentCallers, currentPrincipal, runWithPrincipal } from '../principal-context.ts';
import { propagatePrincipal } from '../principal-propagation.ts';
import type { Principal } from '../principal.ts';
import { ask, type Question, type Reply } from './ask.ts';
import type { Route, Serve } from './middleware-fixture.ts';

const secret = randomBytes(32);
const user: Principal = { userId: 'ü1', authorities: ['ROLE_A,B', 'read'], kind: 'jwt', sessionId: '5', clientId: 'app', username: 'Zoë' };
const identity = encodeIdentity(user);
const at = (now: number): Clock => ({ now: () => now, monotonic: () => now });
const signed = (now = Date.now(), by: string | Uint8Array = secret): Record<string, string> => ({
  ...identity,
  'x-wherry-signature': new IdentitySigner({ secrets: [by], clock: at(now) }).sign(identity),
});

const WHO: Route = { method: 'GET', path: '/who', work: () => ({ who: currentPrincipal() ?? 'nobody', callers: currentCallers() }) };
const DEEP: Route = { ...WHO, path: '/api/deep/who' };

/** A 401 as every framework has to give it. */
export function expectUnauthenticated({ status, headers, text }: Reply, challenge: string): void {
  expect(status).toBe(401);
  expect(headers['content-type']).toBe('application/problem+json');
  expect(headers['cache-control']).toBe('no-store');
  expect(headers['www-authenticate']).toBe(challenge);
  expect(JSON.parse(text)).toMatchObject({ type: 'urn:wherry:error:unauthenticated', status: 401, code: 'unauthenticated' });
}

/** Who is calling, by the headers of the request alone. */
export function describeIdentity(serve: Serve): void {
  const asked = async (principal: GatewayPrincipalOptions, question: Question): Promise<Reply> => {
    await using serving = await serve({ principal, routes: [WHO, DEEP] });
    return await ask(serving.port, question);
  };

  describe('the identity of a request', () => {
    it('comes in whole, believed or signed, also below a router', async () => {
      for (const path of ['/who', '/api/deep/who']) {
        for (const [options, headers] of [
          [{}, identity],
          [{ secret }, signed()],
          [{ secret: ['r'.repeat(32), secret] }, signed()],
        ] as const) {
          const reply = await asked(options, { path, headers });
          expect([reply.status, JSON.parse(reply.text)]).toEqual([200, { who: user, callers: [] }]);
        }
      }
    });

    it('is needed unless it is optional', async () => {
      for (const options of [{}, { secret }]) {
        for (const path of ['/who', '/api/deep/who']) expectUnauthenticated(await asked(options, { path }), 'Bearer');
        const reply = await asked({ ...options, required: false }, {});
        expect([reply.status, JSON.parse(reply.text)]).toEqual([200, { who: 'nobody', callers: [] }]);
      }
    });

    it('is asked for before it is told which routes there are, and of HEAD as well', async () => {
      expectUnauthenticated(await asked({}, { path: '/no-such-route' }), 'Bearer');
      expect((await asked({}, { path: '/no-such-route', headers: identity })).status).toBe(404);
      const head = await asked({}, { method: 'HEAD' });
      expect([head.status, head.headers['www-authenticate'], head.text]).toEqual([401, 'Bearer', '']);
    });

    it('is refused where it is claimed and does not count, also where it is optional', async () => {
      const wrong: readonly (readonly [string, Question['headers'], GatewayPrincipalOptions])[] = [
        ['a part alone', { 'x-wherry-user-id': '1' }, {}],
        ['an unknown kind', { ...identity, 'x-wherry-kind': 'root' }, {}],
        ['a raw value', { ...identity, 'x-wherry-user-id': 'a b' }, {}],
        ['no signature', identity, { secret }],
        ['an empty signature', { ...identity, 'x-wherry-signature': '' }, { secret }],
        ['a signature under another secret', signed(Date.now(), randomBytes(32)), { secret }],
        ['an old signature', signed(Date.now() - 31_000), { secret }],
        ['a signature from the future', signed(Date.now() + 3_600_000), { secret }],
        ['another user under a good signature', { ...signed(), 'x-wherry-user-id': '2' }, { secret }],
        ['more authorities under a good signature', { ...signed(), 'x-wherry-authorities': 'ROLE_A%2CB,read,admin' }, { secret }],
        ['one header fewer under a good signature', without('x-wherry-client'), { secret }],
        ['a user id twice', twice('x-wherry-user-id', '2'), {}],
        ['the same user id twice', twice('x-wherry-user-id', identity['x-wherry-user-id'] ?? ''), { secret }],
        ['authorities twice', twice('x-wherry-authorities', 'admin'), {}],
        ['a signature twice', twice('x-wherry-signature', signed()['x-wherry-signature'] ?? ''), { secret }],
        ['callers that nobody signed', { ...signed(), 'x-wherry-callers': 'a', 'x-wherry-proved-at': String(Date.now()) }, { secret }],
        ['callers without a time', { ...identity, 'x-wherry-callers': 'a' }, {}],
        ['callers of nobody', { 'x-wherry-callers': 'a', 'x-wherry-proved-at': String(Date.now()) }, {}],
      ];
      for (const required of [true, false]) {
        for (const [what, headers, options] of wrong) {
          const reply = await asked({ ...options, required }, headers === undefined ? {} : { headers });
          expect([what, reply.status]).toEqual([what, 401]);
          expectUnauthenticated(reply, 'Bearer error="invalid_token"');
        }
      }
    });

    it('is not made by other spellings of the headers', async () => {
      const forged = Object.entries({ ...identity, 'x-wherry-user-id': 'root' });
      for (const separator of ['_', '.', '!', '~', "'"]) {
        const variants = forged.map(([name, value]) => [name.replaceAll('-', separator), value] as const);
        expectUnauthenticated(await asked({}, { headers: variants }), 'Bearer');
        const beside = await asked({ secret }, { headers: [...variants, ...Object.entries(signed())] });
        expect(JSON.parse(beside.text)).toMatchObject({ who: { userId: 'ü1' } });
      }
      const shouted = Object.entries(signed()).map(([name, value]) => [name.toUpperCase(), value] as const);
      expect((await asked({ secret }, { headers: shouted })).status).toBe(200);
    });

    it('may be as long as headers may be; what is longer harms nobody else', async () => {
      const many = encodeIdentity({ ...user, authorities: Array.from({ length: 1000 }, (_, n) => `right-${n}`) });
      await using serving = await serve({ principal: {}, routes: [WHO] });
      const long = await ask(serving.port, { headers: many });
      expect((JSON.parse(long.text) as { who: Principal }).who.authorities).toHaveLength(1000);
      const tooLong = await ask(serving.port, { headers: { ...identity, 'x-wherry-username': 'x'.repeat(20_000) } });
      expect(tooLong.status).toBe(431);
      expect((await ask(serving.port, { headers: identity })).status).toBe(200);
    });

    it('tells which services the request came through', async () => {
      const key = callKey('o'.repeat(32), { from: 'orders', to: 'billing' });
      const orders = propagatePrincipal({ service: 'orders', secret: 'o'.repeat(32), targets: { 'http://127.0.0.1:1': 'billing' } });
      const headers = runWithPrincipal(user, () => orders.headersFor('http://127.0.0.1:1/'));
      const reply = await asked({ secret, callers: { orders: key } }, { headers });
      expect(JSON.parse(reply.text)).toEqual({ who: user, callers: ['orders'] });
      expectUnauthenticated(await asked({ secret }, { headers }), 'Bearer error="invalid_token"');
    });
  });
}

function without(name: string): readonly (readonly [string, string])[] {
  return Object.entries(signed()).filter(([other]) => other !== name);
}

function twice(name: string, value: string): readonly (readonly [string, string])[] {
  return [...Object.entries(signed()), [name, value]];
}
