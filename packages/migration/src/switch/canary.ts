import { randomBytes } from 'node:crypto';
import { WherryError } from '@wherry/core';
import type { MigrationContext } from '../context.ts';

const LIFE_MS = 60_000;

/**
 * Proves the way back before it is needed: a session of nobody's is written to the source as the reverse mirror writes,
 * read as the legacy application's data is read, and ended. Throws `source_unavailable` or `canary_failed`.
 */
export async function sendCanary(context: MigrationContext): Promise<void> {
  const rawId = `wherry-canary-${randomBytes(16).toString('base64url')}`;
  const expireTime = (await context.source.now()) + LIFE_MS;
  const value = (await context.source.canary?.()) ?? expressCanary(expireTime);
  await context.source.put(rawId, value, expireTime, { epoch: 1, n: 1 });
  try {
    const [found] = await context.source.get([rawId]);
    const same = found !== undefined && !found.ended && found.value === value && Math.abs((found.expireTime ?? 0) - expireTime) <= 1000;
    if (!same || !context.decode(found.value).ok)
      throw new WherryError('canary_failed', 'a session written back to the source was not read as it was written');
  } finally {
    await context.source.end(rawId, LIFE_MS, 1);
  }
}

function expressCanary(expireTime: number): string {
  const cookie = { originalMaxAge: LIFE_MS, expires: new Date(expireTime).toISOString(), httpOnly: true, path: '/' };
  return JSON.stringify({ cookie, canary: 'ä\u0000"\\ 🚢' });
}
