import { WherryError } from '@wherry/core';
import { createClient } from 'redis';

/** A connection for questions beside a stream; it reconnects by itself. */
export class SideClient {
  readonly #client: ReturnType<typeof createClient>;
  readonly #connected: Promise<unknown>;
  readonly #timeoutMs: number;

  constructor(url: string, timeoutMs: number) {
    this.#timeoutMs = timeoutMs;
    this.#client = createClient({
      url,
      // Replies as arrays, whatever the server could do.
      RESP: 2,
      disableOfflineQueue: true,
      socket: { connectTimeout: 2000, reconnectStrategy: (retries) => Math.min(1000, 25 * 2 ** Math.min(retries, 6)) },
    });
    // Who asks is told; without a listener the process would end.
    this.#client.on('error', () => undefined);
    this.#connected = this.#client.connect();
    this.#connected.catch(() => undefined);
  }

  /** Sends one command. Errors: `source_unavailable`, also after the time that it may take. */
  async ask(...command: readonly string[]): Promise<unknown> {
    const late = Promise.withResolvers<never>();
    const timer = setTimeout(() => late.reject(new Error(`no answer within ${this.#timeoutMs} ms`)), this.#timeoutMs);
    try {
      return await Promise.race([this.#connected.then(() => this.#client.sendCommand([...command])), late.promise]);
    } catch (cause) {
      throw new WherryError('source_unavailable', 'Redis cannot be reached', { cause });
    } finally {
      clearTimeout(timer);
    }
  }

  async close(): Promise<void> {
    if (this.#client.isReady) await this.#client.close();
    else this.#client.destroy();
  }
}
