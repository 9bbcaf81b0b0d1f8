import { PATIENT_MS } from '@wherry/embedded/testing';
import { randomBytes } from 'node:crypto';
import { createClient } from 'redis';
import { inject } from 'vitest';
import { describeSourceConformance } from '../../testing/source-conformance.ts';
import type { LegacyPeer, LegacySession, SourceFixture } from '../../testing/source-fixture.ts';
import { createSpringRedisSource } from './source.ts';
import { textSource, type Values } from './testing/session-values.ts';
import { openSpringCommands, type SpringPeer } from './testing/spring-commands.ts';

const DAY_SECONDS = 86_400;

async function fixture(indexed: boolean, values: Values): Promise<SourceFixture> {
  const namespace = randomBytes(6).toString('hex');
  // A database of its own in the server: counts look at everything that lies there.
  const url = new URL(inject('redisUrl'));
  url.pathname = '/11';
  const source = createSpringRedisSource({ url: url.href, prefix: `${namespace}:sessions:`, indexed, timeoutMs: PATIENT_MS });
  const peer = await openSpringCommands(url.href, namespace, indexed, values);
  const dispose = async (): Promise<void> => {
    await source.close();
    await peer.close();
    const client = await createClient({ url: url.href }).connect();
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

const limits = { maxValueBytes: 400_000 };
describeSourceConformance('Spring, indexed, serialised by the JDK,', () => fixture(true, 'jdk'), limits);
describeSourceConformance('Spring, one hash for each, as JSON,', () => fixture(false, 'json'), limits);
