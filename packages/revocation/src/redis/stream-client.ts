import { pause, WherryError } from '@wherry/core';
import { createClient } from 'redis';
import type { SealedEntry } from './entry.ts';

/** What lies in the stream under an id; undefined: something that was never written by us. */
export interface StreamItem {
  readonly id: string;
  readonly entry: SealedEntry | undefined;
}

/** One connection to the stream. A lost one is not mended: whoever uses it opens another. All calls reject then. */
export interface StreamClient {
  /** The id of the newest item; `0-0` where there is none. */
  newest(): Promise<string>;
  /** Items after `id`, at most `count`; waits up to `waitMs` for the first. */
  read(id: string, count: number, waitMs: number): Promise<readonly StreamItem[]>;
  /** Adds an entry, and cuts the stream to about `length`. */
  add(entry: SealedEntry, length: number): Promise<void>;
  close(): void;
}

const CONNECT_MS = 2000;
/** Longest that an answer may take beyond the time that was asked to wait. */
const ANSWER_MS = 3000;
const PAYLOAD = 'p';
const MAC = 'm';

/** Connects to the stream `key` of the Redis at `url`. */
export async function openStreamClient(url: string, key: string): Promise<StreamClient> {
  const client = createClient({
    url,
    RESP: 2,
    disableOfflineQueue: true,
    socket: { connectTimeout: CONNECT_MS, reconnectStrategy: false },
  });
  // Each call is told; without a listener the process would end.
  client.on('error', () => undefined);
  const close = (): void => {
    if (client.isOpen) client.destroy();
  };
  const send = async (args: readonly string[], waitMs = 0): Promise<unknown> => {
    const late = new AbortController();
    const command = client.sendCommand(args);
    command.catch(() => undefined);
    try {
      return await Promise.race([command, tooLate(waitMs + ANSWER_MS, late.signal)]);
    } catch (error) {
      // Nobody knows what a connection that did not answer still has to say.
      close();
      throw error;
    } finally {
      late.abort();
    }
  };
  try {
    await client.connect();
  } catch (error) {
    close();
    throw error;
  }
  return {
    newest: async () => itemsOf(await send(['XREVRANGE', key, '+', '-', 'COUNT', '1']))[0]?.id ?? '0-0',
    read: async (id, count, waitMs) => {
      const reply = await send(['XREAD', 'COUNT', String(count), 'BLOCK', String(waitMs), 'STREAMS', key, id], waitMs);
      // One stream was asked for: [[key, items]], or nil.
      return Array.isArray(reply) && Array.isArray(reply[0]) ? itemsOf((reply[0] as unknown[])[1]) : [];
    },
    add: async ({ payload, mac }, length) => {
      await send(['XADD', key, 'MAXLEN', '~', String(length), '*', PAYLOAD, payload, MAC, mac]);
    },
    close,
  };
}

async function tooLate(ms: number, signal: AbortSignal): Promise<never> {
  await pause(ms, signal);
  throw new WherryError('deadline_exceeded', 'Redis did not answer in time');
}

function itemsOf(reply: unknown): StreamItem[] {
  const items = (Array.isArray(reply) ? reply : []) as readonly (readonly [unknown, unknown])[];
  return items.map(([id, fields]) => ({ id: String(id), entry: entryOf(fields) }));
}

/** The fields, exactly as they are written here. */
function entryOf(fields: unknown): SealedEntry | undefined {
  if (!Array.isArray(fields) || fields.length !== 4) return undefined;
  const [first, payload, second, mac] = fields.map(String);
  return first === PAYLOAD && second === MAC && payload !== undefined && mac !== undefined ? { payload, mac } : undefined;
}
