import { createHash } from 'node:crypto';
import { WherryError, pause } from '@wherry/core';
import type { RedisRoutes, SendCommand } from './routes.ts';

/** A script, named by its digest. */
interface KnownScript {
  readonly text: string;
  readonly sha: string;
}

/** Replies of a server that is there but cannot serve now; a repeat makes sense. */
const NOT_NOW = /^(?:LOADING|BUSY|MASTERDOWN|CLUSTERDOWN|TRYAGAIN|READONLY|OOM|MISCONF|NOREPLICAS|UNBLOCKED|MAXCLIENTS|MOVED|ASK)\b/;
/**
 * A session and its companion are moved one after the other. While one has gone and the other has not, neither node can
 * serve both, for as long as the move of their slot lasts (Redis cluster specification, "multi-key operations").
 */
const MOVING = /^TRYAGAIN\b/;
const MOVING_EVERY_MS = 20;

/** Sends scripts and commands to whom they concern, bounds their time and gives their errors codes. */
export class RedisConnection {
  readonly #connected: Promise<RedisRoutes>;
  readonly #timeoutMs: number;
  readonly #encoding: 'utf8' | 'latin1';
  readonly #known = new Map<string, KnownScript>();

  /** `encoding` latin1: texts stand for bytes, one character each. */
  constructor(connected: Promise<RedisRoutes>, timeoutMs: number, encoding: 'utf8' | 'latin1') {
    this.#connected = connected;
    this.#timeoutMs = timeoutMs;
    this.#encoding = encoding;
    // Who calls is told; a failure while nobody calls is no crash.
    connected.catch(() => undefined);
  }

  /**
   * Runs a script where its keys lie, by its digest, and by its text where the server does not know it yet: after a start
   * or a failover. Its keys have one slot. Waits while they are moved to another node.
   */
  async script(text: string, keys: readonly string[], args: readonly string[]): Promise<unknown> {
    return this.#bounded(async (routes, signal) => {
      const key = this.#out(keys[0] ?? '');
      for (;;) {
        try {
          return await this.#run((command, options) => routes.send(key, command, options), text, keys, args);
        } catch (error) {
          if (!isReply(error, MOVING) || signal.aborted) throw error;
        }
        await pause(MOVING_EVERY_MS, signal);
      }
    });
  }

  /** Runs a script that needs no keys on every master, or on the one at `address` only; an empty answer: it is none any more. */
  async onMasters(text: string, args: readonly string[], address?: string): Promise<{ address: string; reply: unknown }[]> {
    return this.#bounded(async (routes) => {
      const masters = await routes.masters();
      const asked = address === undefined ? masters : masters.filter((master) => master.address === address);
      return Promise.all(asked.map(async ({ address: at, send }) => ({ address: at, reply: await this.#run(send, text, [], args) })));
    });
  }

  async #run(send: SendCommand, text: string, keys: readonly string[], args: readonly string[]): Promise<unknown> {
    const { sha } = this.#knownScript(text);
    const rest = [String(keys.length), ...keys, ...args];
    try {
      return await this.#send(send, ['EVALSHA', sha, ...rest]);
    } catch (error) {
      if (!isReply(error, /^NOSCRIPT\b/)) throw error;
      return this.#send(send, ['EVAL', text, ...rest]);
    }
  }

  /** The application's client may answer Buffers or numbers where its options say so; ours are always texts. */
  async #send(send: SendCommand, args: readonly string[]): Promise<unknown> {
    if (this.#encoding === 'utf8') return send(args, { typeMapping: {} });
    const reply = await send(
      args.map((arg) => this.#out(arg)),
      { typeMapping: { [BULK_STRING]: Buffer } },
    );
    return textsOf(reply);
  }

  #out(text: string): string | Buffer {
    return this.#encoding === 'utf8' ? text : Buffer.from(text, 'latin1');
  }

  /** A client queues commands while it is not connected, as long as that takes: the caller is told earlier. */
  async #bounded<T>(work: (routes: RedisRoutes, signal: AbortSignal) => Promise<T>): Promise<T> {
    const late = Promise.withResolvers<never>();
    const over = new AbortController();
    const timer = setTimeout(() => {
      late.reject(new WherryError('source_unavailable', `Redis has not answered within ${this.#timeoutMs} ms`));
      over.abort();
    }, this.#timeoutMs);
    try {
      return await Promise.race([this.#connected.then((routes) => work(routes, over.signal)), late.promise]);
    } catch (error) {
      throw asSourceError(error);
    } finally {
      clearTimeout(timer);
    }
  }

  #knownScript(text: string): KnownScript {
    let script = this.#known.get(text);
    if (script === undefined) {
      script = { text, sha: createHash('sha1').update(text).digest('hex') };
      this.#known.set(text, script);
    }
    return script;
  }
}

/** The type of bulk strings in RESP, `$`: by it the client is told to answer Buffers. */
const BULK_STRING = 36;

function textsOf(reply: unknown): unknown {
  if (Buffer.isBuffer(reply)) return reply.toString('latin1');
  return Array.isArray(reply) ? reply.map(textsOf) : reply;
}

/** Error replies (RESP "-ERR …") reach us as instances whose class name is all that two copies of the client share. */
function isReply(error: unknown, pattern: RegExp): boolean {
  return error instanceof Error && pattern.test(error.message);
}

function asSourceError(cause: unknown): WherryError {
  if (cause instanceof WherryError) return cause;
  const refused = isReply(cause, /^[A-Z]{2,}\b/) && !isReply(cause, NOT_NOW) && !hasSystemCode(cause);
  if (refused) return new WherryError('source_refused', 'Redis refused the operation; the log has its answer', { cause });
  return new WherryError('source_unavailable', 'Redis cannot be reached', { cause });
}

/** Errors of the system (`ECONNREFUSED`) begin with capitals as replies do, but carry a code. */
function hasSystemCode(error: unknown): boolean {
  return error instanceof Error && 'code' in error;
}
