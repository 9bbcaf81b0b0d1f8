import { isWherryError } from '@wherry/core';
import { newKey } from '@wherry/tokens';
import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { loadConfig } from './load.ts';
import { requireClients } from './required.ts';

const folder = mkdtempSync(join(tmpdir(), 'client-keys-'));
afterAll(() => rmSync(folder, { recursive: true }));

const { publicJwk, privateKey } = await newKey('ES256');
const fileOf = (content: unknown): string => {
  const file = join(folder, `${Math.random()}.json`);
  writeFileSync(file, typeof content === 'string' ? content : JSON.stringify(content));
  return file;
};
const clientsOf = (client: object, environment: Record<string, string> = {}): ReturnType<typeof requireClients> =>
  requireClients(loadConfig({ environment, file: fileOf({ auth: { clients: [{ id: 'a', ...client }] } }) }).config);
const refusal = (client: object): string => {
  try {
    clientsOf(client);
    return 'accepted';
  } catch (error) {
    return isWherryError(error, 'config_invalid') ? error.message : String(error);
  }
};

describe('the keys of a client', () => {
  it('come inline or from a file, and stand for its secret', () => {
    for (const client of [{ jwks: { keys: [publicJwk] } }, { jwksFile: fileOf({ keys: [publicJwk] }) }]) {
      expect(clientsOf(client)).toEqual([
        { id: 'a', grants: ['token-exchange', 'refresh_token'], authorities: [], operator: false, assertsUsers: false, keys: [publicJwk] },
      ]);
    }
    const both = clientsOf({ jwks: { keys: [publicJwk] }, operator: true }, { WHERRY_AUTH_CLIENT_A_SECRET: 's'.repeat(16) });
    expect(both[0]).toMatchObject({ secret: 's'.repeat(16), keys: [publicJwk], operator: true });
  });

  it('are told from none at all, which a client must not have', () => {
    expect(refusal({})).toBe(
      'auth.clients.a.secret is not set; allowed is WHERRY_AUTH_CLIENT_A_SECRET or WHERRY_AUTH_CLIENT_A_SECRET_FILE, or keys in jwks or jwksFile',
    );
    // The operator's routes take a secret alone.
    expect(refusal({ operator: true, jwks: { keys: [publicJwk] } })).toMatch(/^auth\.clients\.a\.secret is not set/);
  });

  it('are refused where they cannot be used, and never shown', () => {
    const secret = privateKey.export({ format: 'jwk' });
    const weak = generateKeyPairSync('rsa', { modulusLength: 1024 }).publicKey.export({ format: 'jwk' });
    const cases: [object, RegExp][] = [
      [{ jwksFile: fileOf({ keys: [secret] }) }, /^auth\.clients\.a\.jwksFile cannot be used: .*secret parts/],
      [{ jwks: { keys: [secret] } }, /^auth\.clients\[0\]\.jwks\.keys\[0\]\.d .*is not a key/],
      [{ jwks: { keys: [weak] } }, /^auth\.clients\.a\.jwks cannot be used: .*1024 bits/],
      [{ jwks: { keys: [{ kty: 'EC', crv: 'P-256', x: 'x', y: 'y' }] } }, /^auth\.clients\.a\.jwks cannot be used/],
      [{ jwks: { keys: [publicJwk, publicJwk] } }, /one kid/],
      [{ jwks: { keys: [] } }, /^auth\.clients\.a\.jwks cannot be used: .*1 to 10/],
      [{ jwksFile: fileOf({ keys: [] }) }, /1 to 10 keys/],
      [{ jwksFile: fileOf([]) }, /names a file without keys/],
      [{ jwksFile: fileOf({ keys: [7] }) }, /names a file without keys/],
      [{ jwksFile: fileOf('{') }, /cannot be read \(not JSON\)/],
      [{ jwksFile: join(folder, 'none') }, /cannot be read \(ENOENT\)/],
    ];
    for (const [client, line] of cases) {
      expect(refusal(client)).toMatch(line);
      expect(refusal(client)).not.toContain(secret.d);
    }
  });
});
