import { WherryError } from '@wherry/core';
import { createClient } from 'redis';
import { keyPattern } from './companion-key.ts';
import { parseRedisUrl } from './redis-url.ts';

/** When the keys of sessions were used last, by whomever. */
export interface LastUse {
  readonly looked: number;
  /** Of these, read or written within the time asked for. */
  readonly used: number;
}

const BATCH = 500;

/**
 * How many of the session keys under `prefix` were read or written by anybody in the last `ms`: by what the server keeps of
 * each key (`OBJECT IDLETIME`), in whole seconds, which looking does not change. undefined: the server keeps something else
 * (a maxmemory-policy by frequency), or there are several of them. Errors: `config_invalid`, those of the connection.
 */
export async function redisLastUse(
  { url, prefix }: { readonly url: string; readonly prefix: string },
  ms: number,
  signal: AbortSignal,
): Promise<LastUse | undefined> {
  const address = parseRedisUrl(url);
  if (address === undefined) throw new WherryError('config_invalid', 'the URL of a Redis source is not an address that is understood');
  if (address.form !== 'server') return undefined;
  const client = createClient({ url: address.url, disableOfflineQueue: true });
  client.on('error', () => undefined);
  await client.connect();
  let [looked, used] = [0, 0];
  try {
    for await (const keys of client.scanIterator({ MATCH: keyPattern(prefix), COUNT: BATCH, TYPE: 'string' })) {
      signal.throwIfAborted();
      const idle = await Promise.all(keys.map((key) => client.objectIdleTime(key)));
      for (const seconds of idle) {
        if (seconds === null) continue;
        looked++;
        if (seconds * 1000 < ms) used++;
      }
    }
  } catch (error) {
    if (error instanceof Error && error.message.includes('LFU')) return undefined;
    throw error;
  } finally {
    await client.close();
  }
  return { looked, used };
}
