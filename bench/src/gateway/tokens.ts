import type { Cluster } from '../cluster.ts';
import { keySealer, masterKeyOf } from '../cluster.ts';
import { SessionRuntime } from '@wherry/sessions';
import { ShardSet } from '@wherry/shards';
import { KEY_TOPIC, KeyRing, KeyStore, createIssuer } from '@wherry/tokens';
import { newKey, newSession } from '../sessions/sample.ts';

/** Life of the access tokens, seconds. */
export const LIFE_S = 3600;

/** Access tokens of signed-in users and what verifies them. */
export interface IssuedTokens {
  readonly tokens: readonly string[];
  /** PEM, SubjectPublicKeyInfo. */
  readonly publicKey: string;
}

/** Sessions that were ended: the set of revocations is never empty in life. */
const ENDED = 1000;

/** Signs in `users` users, gives each an access token, and ends sessions of others. */
export async function issueTokens(cluster: Cluster, users: number, issuer: string, audience: string): Promise<IssuedTokens> {
  const control = cluster.open(cluster.controlUrl);
  const shards = new ShardSet({ shards: cluster.shardUrls.map((url, i) => ({ name: `shard${i}`, url })) });
  const sealer = keySealer(cluster);
  const keys = new KeyRing({ database: control, staleMs: () => runtime.instance.staleMs(KEY_TOPIC), sealer });
  await new KeyStore({ database: control, sealer, lifeS: LIFE_S }).ensureShared('ES256');
  const runtime: SessionRuntime = new SessionRuntime({ control, shards, masterKey: masterKeyOf(cluster), role: 'auth', topics: [keys] });
  await runtime.run();
  const issuing = createIssuer({ keys, issuer, audience, lifeS: LIFE_S });
  const now = Date.now();
  const issuedAt = Math.floor(now / 1000);
  const tokens = await Promise.all(
    Array.from({ length: users }, async (_, user) => {
      // Born here: a row that was carried over would need its source for a touch.
      const record = { ...newSession(newKey(), user, now), sourceRef: null };
      await runtime.target.create(record);
      return issuing.issue({
        userId: String(user),
        username: record.username,
        authorities: record.authorities,
        clientId: 'web',
        sessionId: record.key.id,
        generation: 0,
        issuedAt,
        authTime: issuedAt,
        sessionExpiresAt: null,
      }).token;
    }),
  );
  await Promise.all(Array.from({ length: ENDED }, async () => runtime.revocations.endSession({ ...newKey(), reason: 'logout' })));
  const signing = keys.signingKey();
  const publicKey = keys.find(signing.kid)?.publicKey.export({ type: 'spki', format: 'pem' }) ?? '';
  await runtime.drain();
  await runtime.stop();
  await shards.stop();
  return { tokens, publicKey: String(publicKey) };
}
