import { createClient, RESP_TYPES } from 'redis';
import { plainNumber } from './plain-number.ts';
import { integerField, longField, textField, textOfField, type Values } from './session-values.ts';

/** What Spring is asked for in tests: by its own commands, or by Spring itself. */
export interface SpringPeer {
  /** Creates or changes a session; `seconds`: its idle time. */
  set(id: string, text: string, seconds: number): Promise<void>;
  get(id: string): Promise<{ readonly text: string } | undefined>;
  /** An access now, with another idle time. */
  touch(id: string, seconds: number): Promise<void>;
  destroy(id: string): Promise<void>;
  close(): Promise<void>;
}

type Fields = Record<string, Buffer>;

/**
 * The commands that Spring Session 3.4 sends for each call of its repositories, in their order and by the application's
 * clock (`RedisIndexedSessionRepository`, `RedisSessionRepository`). Spring itself takes its place where it is at hand.
 */
export async function openSpringCommands(url: string, namespace: string, indexed: boolean, values: Values): Promise<SpringPeer> {
  const client = await createClient({ url })
    .withTypeMapping({ [RESP_TYPES.BLOB_STRING]: Buffer })
    .connect();
  const keyOf = (id: string): string => `${namespace}:sessions:${id}`;
  const shadowOf = (id: string): string => keyOf(`expires:${id}`);
  const bucketOf = (end: number): string => `${namespace}:expirations:${(Math.floor(end / 60_000) + 1) * 60_000}`;

  /** Null: there is none, or it is over. */
  const find = async (id: string, expired = false): Promise<{ fields: Fields; end: number } | null> => {
    const fields: Fields = await client.hGetAll(keyOf(id));
    const number = (name: string): number => {
      const field = fields[name];
      if (field === undefined) throw new Error(`${name} key must not be null`);
      return plainNumber(field);
    };
    if (Object.keys(fields).length === 0) return null;
    const seconds = number('maxInactiveInterval');
    number('creationTime');
    const end = number('lastAccessedTime') + seconds * 1000;
    return !expired && seconds >= 0 && end <= Date.now() ? null : { fields, end };
  };
  const save = async (id: string, delta: Fields, seconds: number, accessed: number, before?: number): Promise<void> => {
    await client.hSet(keyOf(id), delta);
    if (!indexed) {
      await client.pExpireAt(keyOf(id), accessed + seconds * 1000);
      return;
    }
    if (seconds === 0) await client.del(shadowOf(id));
    else {
      await client.append(shadowOf(id), '');
      await client.expire(shadowOf(id), seconds);
    }
    await client.expire(keyOf(id), seconds + 300);
    const [end, member] = [accessed + seconds * 1000, textField(values, `expires:${id}`)];
    if (before !== undefined && bucketOf(before) !== bucketOf(end)) await client.sRem(bucketOf(before), member);
    await client.expire(bucketOf(end), seconds + 300);
    await client.sAdd(bucketOf(end), member);
  };
  const times = (seconds: number, accessed: number): Fields => ({
    lastAccessedTime: longField(values, BigInt(accessed)),
    maxInactiveInterval: integerField(values, seconds),
  });

  return {
    async set(id, text, seconds) {
      const found = await find(id);
      const now = Date.now();
      const created = found === null ? { creationTime: longField(values, BigInt(now)) } : {};
      await save(id, { ...created, ...times(seconds, now), 'sessionAttr:text': textField(values, text) }, seconds, now, found?.end);
    },
    async get(id) {
      const field = (await find(id))?.fields['sessionAttr:text'];
      return field === undefined ? undefined : { text: textOfField(values, field) };
    },
    async touch(id, seconds) {
      const found = await find(id);
      const now = Date.now();
      if (found !== null) await save(id, times(seconds, now), seconds, now, found.end);
    },
    async destroy(id) {
      if (!indexed) {
        await client.del(keyOf(id));
        return;
      }
      const found = await find(id, true);
      if (found === null) return;
      await client.sRem(bucketOf(found.end), textField(values, `expires:${id}`));
      await client.del(shadowOf(id));
      await save(id, { maxInactiveInterval: integerField(values, 0) }, 0, found.end);
    },
    close: () => client.close(),
  };
}
