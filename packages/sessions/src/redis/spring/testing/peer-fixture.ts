import { PATIENT_MS } from '@wherry/embedded/testing';
import { randomBytes } from 'node:crypto';
import { createClient } from 'redis';
import type { LegacyPeer, LegacySession, SourceFixture } from '../../../testing/source-fixture.ts';
import { createSpringRedisSource } from '../source.ts';
import { textSource, type Values } from './session-values.ts';
import type { SpringPeer } from './spring-commands.ts';

const DAY_SECONDS = 86_400;

/** A source and Spring, whoever answers for it, in a namespace of their own. */
export async function peerFixture(
  url: string,
  indexed: boolean,
  values: Values,
  openPeer: (namespace: string) => Promise<SpringPeer>,
): Promise<SourceFixture> {
  const namespace = randomBytes(6).toString('hex');
  const source = createSpringRedisSource({ url, prefix: `${namespace}:sessions:`, indexed, timeoutMs: PATIENT_MS });
  const peer = await openPeer(namespace);
  const dispose = async (): Promise<void> => {
    await source.close();
    await peer.close();
    const client = await createClient({ url }).connect();
    for await (const keys of client.scanIterator({ MATCH: `*${namespace}*`, COUNT: 1000 })) if (keys.length > 0) await client.unlink(keys);
    await client.close();
  };
  return { source: textSource(source, values), legacy: legacyPeer(peer), dispose };
}

/** The sessions of the suite are those of express-session: here each is one text in a session of Spring. */
function legacyPeer(peer: SpringPeer): LegacyPeer {
  const seconds = ({ cookie }: LegacySession): number => (cookie.originalMaxAge === null ? DAY_SECONDS : cookie.originalMaxAge / 1000);
  return {
    set: (id, session) => peer.set(id, JSON.stringify(session), seconds(session)),
    async get(id) {
      const found = await peer.get(id);
      return found === undefined ? null : (JSON.parse(found.text) as object);
    },
    touch: (id, session) => peer.touch(id, seconds(session)),
    destroy: (id) => peer.destroy(id),
  };
}
