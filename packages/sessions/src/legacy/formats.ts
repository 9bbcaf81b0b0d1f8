import { connectDynamodb, connectRedis } from './express/formats.ts';
import { connectMongo } from './mongo/formats.ts';
import { djangoCache, djangoSigned } from './django/formats.ts';
import { php, phpBinary, phpSerialize } from './php/formats.ts';
import { koaSession, koaSessionUnsigned } from './koa/formats.ts';
import type { SessionFormat } from './format.ts';
import { springRedis, springRedisIndexed } from './spring/formats.ts';

/** All that can be carried. Of two that take the same value the first one is meant. */
export const SESSION_FORMATS: readonly SessionFormat[] = [
  connectRedis,
  connectDynamodb,
  connectMongo,
  php,
  phpSerialize,
  phpBinary,
  djangoCache,
  djangoSigned,
  koaSession,
  koaSessionUnsigned,
  springRedisIndexed,
  springRedis,
];

/** Those whose sessions may lie in a source of this kind, the usual one first. */
export function formatsOf(store: string): readonly SessionFormat[] {
  return SESSION_FORMATS.filter(({ stores }) => stores.includes(store));
}
