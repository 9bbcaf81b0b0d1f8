import { WherryError } from '@wherry/core';
import { fieldsOfText, textOfFields } from '../../legacy/spring/fields-text.ts';
import { indexedNameOf } from '../../legacy/spring/spring-decoder.ts';
import type { SourceStore } from '../../source/contract.ts';
import { recodedSource } from '../byte-source.ts';
import { parseRedisUrl } from '../redis-url.ts';
import { isCluster } from '../routes.ts';
import { openRedisSource, type RedisSourceOptions } from '../source.ts';
import { springScripts } from './hash-scripts.ts';
import { packFields, unpackFields } from './packed-fields.ts';
import { springCanary } from './spring-canary.ts';

/** Options of {@link createSpringRedisSource}. */
export interface SpringRedisSourceOptions extends Omit<RedisSourceOptions, 'bytes'> {
  /** What the keys of the sessions start with; default `spring:session:sessions:`. The namespace is what stands before `sessions:`. */
  readonly prefix?: string;
  /** True: written by `RedisIndexedSessionRepository`; false: by `RedisSessionRepository`. */
  readonly indexed: boolean;
}

const PREFIX = 'spring:session:sessions:';
const INDEXED = 'spring-redis-indexed';
const PLAIN = 'spring-redis';
const SAMPLED_PAGES = 50;
const SAMPLED_KEYS = 100;

/**
 * Sessions of Spring Session 2 and 3 in Redis: a hash for each, and in the indexed layout the keys beside it. Values are
 * texts of `textOfFields`. A session ends by Spring's rules: with its key, in the indexed layout five minutes before
 * that; a minute after its idle time has passed since the last access at the latest; at once where its idle time is 0. A hash that lacks one of its
 * times is none: a late request left it of a deleted session. Errors: `config_invalid` for a prefix that does not end in
 * `sessions:`, and for the indexed layout in a cluster, where its keys lie on several nodes; `source_refused` for a value
 * of another form.
 */
export function createSpringRedisSource(options: SpringRedisSourceOptions): SourceStore {
  const { indexed, prefix = PREFIX, client, ...rest } = options;
  if (!prefix.endsWith('sessions:')) throw new WherryError('config_invalid', 'the prefix of the sessions of Spring ends in "sessions:"');
  const cluster = client === undefined ? parseRedisUrl(rest.url ?? '')?.form === 'cluster' : isCluster(client);
  if (indexed && cluster) throw clustered();
  const scripts = springScripts({ prefix: Buffer.from(prefix).toString('latin1'), indexed });
  const store = openRedisSource(
    { ...rest, ...(client === undefined ? {} : { client }), prefix, bytes: true },
    {
      name: indexed ? INDEXED : PLAIN,
      scripts,
      // Shadows of sessions, and the set of expirations that newer versions can keep.
      isId: (rawId) => !rawId.startsWith('expires:') && rawId !== 'expirations',
    },
  );
  return fieldsSource(store);
}

/** Hands values over as texts of fields, and takes them apart again. */
function fieldsSource(source: SourceStore): SourceStore {
  return {
    ...recodedSource(source, { handedOver, stored }),
    async canary() {
      const [session] = await sampled(source);
      return springCanary(session?.fields);
    },
    async layout() {
      const shapes = (await sampled(source)).map(({ shape }) => shape).filter((shape) => shape !== '');
      if (shapes.length === 0) return undefined;
      return shapes.filter((shape) => shape === 'indexed').length * 2 > shapes.length ? INDEXED : PLAIN;
    },
  };
}

/** Some sessions; none where none was met among so many keys. */
async function sampled(source: SourceStore): Promise<readonly ReturnType<typeof unpackFields>[]> {
  for (const partition of await source.partitions()) {
    let cursor: string | null = null;
    for (let page = 0; page < SAMPLED_PAGES; page++) {
      const { sessions, next } = await source.scan(partition, cursor, SAMPLED_KEYS);
      if (sessions.length > 0) return sessions.map(({ value }) => unpackFields(Buffer.from(value, 'latin1')));
      if (next === null) break;
      cursor = next;
    }
  }
  return [];
}

function handedOver(packed: string): string {
  return textOfFields(unpackFields(Buffer.from(packed, 'latin1')).fields);
}

function stored(value: string): string {
  const fields = fieldsOfText(value);
  if (fields === undefined) throw new WherryError('source_refused', 'the value is not one of a session of Spring');
  return packFields(indexedNameOf(fields) ?? '', fields).toString('latin1');
}

function clustered(): WherryError {
  return new WherryError('config_invalid', 'indexed sessions of Spring lie in keys of several slots, which no cluster changes together');
}
