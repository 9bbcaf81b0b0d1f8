import { generateKeyPairSync } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { WherryError } from '@wherry/core';
import { authorizationOf, currentPrincipal, type PrincipalJudge } from '@wherry/http';
import { principalFrom } from '@wherry/http/express';
import type { RevocationView } from '@wherry/revocation';
import { createIssuer, createVerifier, importVerificationKey, jwkThumbprint, type TokenGrant } from '@wherry/tokens';
import { describe, expect, it } from 'vitest';

/** What the judge knows of ends, changed by hand. */
class Ends implements RevocationView {
  readonly sessions = new Set<string>();
  readonly issuerNotBefore = 0;
  version = 0;
  staleMs = 0;

  isSessionEnded(sid: string): boolean {
    return this.sessions.has(sid);
  }

  minimumGeneration(): number {
    return 0;
  }
}

const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const jwk = publicKey.export({ format: 'jwk' });
const kid = jwkThumbprint(jwk);
const verification = importVerificationKey({ ...jwk, kid, alg: 'ES256', use: 'sig' });
const keys = {
  find: (wanted: string) => (wanted === kid ? verification : undefined),
  version: 1,
  size: 1,
  staleMs: 0,
  signingKey: () => ({ kid, alg: 'ES256' as const, privateKey, longestLifeS: 600 }),
};
const names = { issuer: 'https://auth.example', audience: 'shop' };

/** A token of the user's session 77. */
function tokenFor(userId: string, change: Partial<TokenGrant> = {}): string {
  const now = Math.floor(Date.now() / 1000);
  const grant = { userId, authorities: ['read'], clientId: 'web', sessionId: 77n, generation: 0, issuedAt: now, authTime: now };
  return createIssuer({ ...names, keys, lifeS: 300 }).issue({ ...grant, sessionExpiresAt: null, ...change }).token;
}

/** As docs/9-back-ends.md has it. */
function judgeWith(revocations: RevocationView): PrincipalJudge {
  const verifier = createVerifier({ ...names, keys, revocations, maxLifeS: 600 });
  return (request) => {
    const credential = authorizationOf(request);
    if (credential.kind !== 'bearer') return undefined;
    const found = verifier.verify(credential.token);
    if (!found.ok) throw new WherryError(found.reason, 'the access token does not count');
    if (revocations.staleMs > 3000) throw new WherryError('revocations_stale', 'no news of revocations');
    return found.principal;
  };
}

function serverOf(judge: PrincipalJudge): Server {
  const middleware = principalFrom({ judge });
  return createServer((request, response) => middleware(request, response, () => response.end(JSON.stringify(currentPrincipal()))));
}

describe('a service that judges tokens itself', () => {
  it('lets in whose token holds, for as long as it holds', async () => {
    const ends = new Ends();
    const server = serverOf(judgeWith(ends));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    try {
      const ask = async (authorization?: string): Promise<[number, { code?: string; userId?: string }]> => {
        const headers = { 'x-wherry-user-id': 'root', ...(authorization === undefined ? {} : { authorization }) };
        const answer = await fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`, { headers });
        return [answer.status, (await answer.json()) as { code?: string }];
      };
      const token = tokenFor('ü1');
      expect(await ask(`Bearer ${token}`)).toMatchObject([200, { userId: 'ü1', authorities: ['read'], kind: 'jwt', sessionId: '77' }]);
      expect(await ask()).toMatchObject([401, { code: 'unauthenticated' }]);
      expect(await ask('Basic YTpi')).toMatchObject([401, { code: 'unauthenticated' }]);
      expect(await ask('Bearer')).toMatchObject([401, { code: 'token_malformed' }]);
      expect(await ask(`Bearer ${token.slice(0, -8)}AAAAAAAA`)).toMatchObject([401, { code: 'token_signature_invalid' }]);
      const old = Math.floor(Date.now() / 1000) - 400;
      expect(await ask(`Bearer ${tokenFor('u', { issuedAt: old, authTime: old })}`)).toMatchObject([401, { code: 'token_expired' }]);
      ends.staleMs = 3001;
      expect(await ask(`Bearer ${token}`)).toMatchObject([503, { code: 'revocations_stale' }]);
      ends.staleMs = 0;
      ends.sessions.add('77');
      ends.version++;
      expect(await ask(`Bearer ${token}`)).toMatchObject([401, { code: 'token_session_ended' }]);
    } finally {
      server.closeAllConnections();
      server.close();
    }
  });
});
