import { inject } from 'vitest';
import { describeSourceConformance } from '../../testing/source-conformance.ts';
import type { SourceFixture } from '../../testing/source-fixture.ts';
import { peerFixture } from './testing/peer-fixture.ts';
import type { Values } from './testing/session-values.ts';
import { openSpringCommands } from './testing/spring-commands.ts';

function fixture(indexed: boolean, values: Values): Promise<SourceFixture> {
  // A database of its own in the server: counts look at everything that lies there.
  const url = new URL(inject('redisUrl'));
  url.pathname = '/11';
  return peerFixture(url.href, indexed, values, (namespace) => openSpringCommands(url.href, namespace, indexed, values));
}

const limits = { maxValueBytes: 400_000 };
describeSourceConformance('Spring, indexed, serialised by the JDK,', () => fixture(true, 'jdk'), limits);
describeSourceConformance('Spring, one hash for each, as JSON,', () => fixture(false, 'json'), limits);
