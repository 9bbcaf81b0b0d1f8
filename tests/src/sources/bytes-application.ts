import { RESP_TYPES, createClient } from 'redis';
import type { Application, Hostile, Owner } from './software.ts';

/** A session in a key of its own: bytes with a life. */
interface StoredBytes extends Owner {
  readonly bytes: Buffer;
}

/** Options of {@link openBytes}. */
export interface BytesOptions {
  readonly lifeMs: number;
  readonly content: (n: number, round: number) => StoredBytes;
  readonly hostile: (kind: Hostile) => Buffer;
  /** What of it the application goes by; absent: all of it. */
  readonly meaning?: (bytes: Buffer) => string;
}

/** An application whose sessions are one value each, written by SET with a life. */
export async function openBytes(url: string, prefix: string, { lifeMs, content, hostile, meaning }: BytesOptions): Promise<Application> {
  const client = await createClient({ url })
    .withTypeMapping({ [RESP_TYPES.BLOB_STRING]: Buffer })
    .connect();
  return {
    async write(rawId, n, round) {
      const { bytes, ...owner } = content(n, round);
      await client.set(prefix + rawId, bytes, { expiration: { type: 'PX', value: lifeMs } });
      return owner;
    },
    async plant(rawId, kind) {
      await client.set(prefix + rawId, hostile(kind), { expiration: { type: 'PX', value: lifeMs } });
    },
    async look(rawId) {
      const bytes = await client.get(prefix + rawId);
      if (bytes === null) return undefined;
      return meaning === undefined ? bytes.toString('base64') : meaning(bytes);
    },
    forget: async (rawId) => void (await client.del(prefix + rawId)),
    close: () => client.close(),
  };
}
