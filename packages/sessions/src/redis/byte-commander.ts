import type { RedisCommander } from './connection.ts';

/** What the package `redis` takes and answers where bytes are meant. */
interface ByteClient {
  sendCommand(args: readonly Buffer[], options: { readonly typeMapping: Readonly<Record<number, unknown>> }): Promise<unknown>;
}

/** The type of bulk strings in RESP, `$`: by it the client is told to answer Buffers. */
const BULK_STRING = 36;

/**
 * The same client for values that need not be text: what goes out and what comes in are texts with one character for
 * each byte.
 */
export function byteCommander(client: RedisCommander): RedisCommander {
  // The application's client, whose own type says no more than what is needed of it elsewhere.
  const bytes = client as unknown as ByteClient;
  return {
    sendCommand: async (args) =>
      textsOf(
        await bytes.sendCommand(
          args.map((arg) => Buffer.from(arg, 'latin1')),
          { typeMapping: { [BULK_STRING]: Buffer } },
        ),
      ),
  };
}

function textsOf(reply: unknown): unknown {
  if (Buffer.isBuffer(reply)) return reply.toString('latin1');
  return Array.isArray(reply) ? reply.map(textsOf) : reply;
}
