import { createHash } from 'node:crypto';
import { WherryError } from '@wherry/core';

/** What is needed of a client of the package `redis`: the application's own, or one made here. */
export interface RedisCommander {
  sendCommand(args: readonly string[], options?: { typeMapping: Record<string, never> }): Promise<unknown>;
}

/** A script, named by its digest. */
interface KnownScript {
  readonly text: string;
  readonly sha: string;
}

/** Replies of a server that is there but cannot serve now; a repeat makes sense. */
const NOT_NOW = /^(?:LOADING|BUSY|MASTERDOWN|CLUSTERDOWN|TRYAGAIN|READONLY|OOM|MISCONF|NOREPLICAS|UNBLOCKED|MAXCLIENTS)\b/;

/** Sends scripts and commands, bounds their time and gives their errors codes. */
export class RedisConnection {
  readonly #connected: Promise<RedisCommander>;
  readonly #timeoutMs: number;
  readonly #known = new Map<string, KnownScript>();

  constructor(connected: Promise<RedisCommander>, timeoutMs: number) {
    this.#connected = connected;
    this.#timeoutMs = timeoutMs;
    // Who calls is told; a failure while nobody calls is no crash.
    connected.catch(() => undefined);
  }

  /** Runs a script by its digest, and by its text where the server does not know it yet: after a start or a failover. */
  async script(text: string, keys: readonly string[], args: readonly string[]): Promise<unknown> {
    const { sha } = this.#knownScript(text);
    const rest = [String(keys.length), ...keys, ...args];
    return this.#bounded(async (client) => {
      try {
        return await send(client, ['EVALSHA', sha, ...rest]);
      } catch (error) {
        if (!isReply(error, /^NOSCRIPT\b/)) throw error;
        return send(client, ['EVAL', text, ...rest]);
      }
    });
  }

  /** Sends one command. */
  async command(...args: readonly string[]): Promise<unknown> {
    return this.#bounded((client) => send(client, args));
  }

  /** A client queues commands while it is not connected, as long as that takes: the caller is told earlier. */
  async #bounded<T>(work: (client: RedisCommander) => Promise<T>): Promise<T> {
    const late = Promise.withResolvers<never>();
    const message = `Redis has not answered within ${this.#timeoutMs} ms`;
    const timer = setTimeout(() => late.reject(new WherryError('source_unavailable', message)), this.#timeoutMs);
    try {
      return await Promise.race([this.#connected.then(work), late.promise]);
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

/** The application's client may answer Buffers or numbers where its options say so; ours are always texts. */
function send(client: RedisCommander, args: readonly string[]): Promise<unknown> {
  return client.sendCommand(args, { typeMapping: {} });
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
