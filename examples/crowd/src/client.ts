import type { IncomingHttpHeaders } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { Pool } from 'undici';
import { isUnavailable } from './judge.ts';
import { now } from './ledger.ts';
import type { Meter } from './meter.ts';

/** A request to one of the two front doors. */
export interface Sent {
  readonly to: 'gateway' | 'auth';
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** A form if it is URLSearchParams, else JSON. */
  readonly body?: URLSearchParams | Readonly<Record<string, unknown>>;
}

/** The final answer. `startedAt` and `endedAt` are those of the attempt that brought it; status 0: no answer. */
export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  /** Parsed JSON; undefined where there was none. */
  readonly body: unknown;
  readonly firstStartedAt: number;
  readonly startedAt: number;
  readonly endedAt: number;
  readonly attempts: number;
}

/** Options of {@link Client}. */
export interface ClientOptions {
  readonly meter: Meter;
  /** For how long a 503 or a lost connection is repeated, milliseconds; default 10000. */
  readonly retryMs?: number;
  /** Connections to each address; default 48. */
  readonly connections?: number;
}

const ATTEMPT_MS = 10_000;
const LONGEST_WAIT_MS = 1000;

/** Sends requests as a patient client does: what nobody could answer is repeated for a while, with Retry-After honoured up to a second. */
export class Client {
  readonly #meter: Meter;
  readonly #retryMs: number;
  readonly #connections: number;
  #gateways: readonly Pool[] = [];
  #auth: readonly Pool[] = [];
  readonly #closing: Promise<void>[] = [];
  #turn = 0;

  constructor(options: ClientOptions) {
    this.#meter = options.meter;
    this.#retryMs = options.retryMs ?? 10_000;
    this.#connections = options.connections ?? 48;
  }

  /** Sends later requests to these base addresses, in turn. What is under way ends where it began. */
  direct(gateways: readonly string[], auth?: string): void {
    const old = [...this.#gateways, ...(auth === undefined ? [] : this.#auth)];
    this.#gateways = gateways.map((url) => this.#pool(url));
    if (auth !== undefined) this.#auth = [this.#pool(auth)];
    for (const pool of old) this.#closing.push(pool.close());
  }

  /** Resolves when no connection is left. */
  async close(): Promise<void> {
    await Promise.all([...this.#closing, ...[...this.#gateways, ...this.#auth].map((pool) => pool.close())]);
  }

  /** Sends until there is an answer that somebody could give, or the patience is over. Never throws for what a server does. */
  async send(sent: Sent): Promise<Answer> {
    const firstStartedAt = now();
    for (let attempts = 1; ; attempts++) {
      const startedAt = now();
      const { status, headers, body } = await this.#attempt(sent);
      const endedAt = now();
      this.#meter.record(status, endedAt - startedAt);
      const wait = Math.min(LONGEST_WAIT_MS, Number(headers['retry-after'] ?? 0.1) * 1000 || 100) * (0.5 + Math.random() / 2);
      if (!isUnavailable(status) || endedAt + wait - firstStartedAt > this.#retryMs) {
        return { status, headers, body, firstStartedAt, startedAt, endedAt, attempts };
      }
      await delay(wait);
    }
  }

  async #attempt(sent: Sent): Promise<{ status: number; headers: IncomingHttpHeaders; body: unknown }> {
    try {
      const pools = sent.to === 'auth' ? this.#auth : this.#gateways;
      const pool = pools[this.#turn++ % pools.length];
      if (pool === undefined) return { status: 0, headers: {}, body: undefined };
      const form = sent.body instanceof URLSearchParams;
      const type = sent.body === undefined ? {} : { 'content-type': form ? 'application/x-www-form-urlencoded' : 'application/json' };
      const { statusCode, headers, body } = await pool.request({
        method: sent.method,
        path: sent.path,
        headers: { ...type, ...sent.headers },
        ...(sent.body === undefined
          ? {}
          : { body: sent.body instanceof URLSearchParams ? sent.body.toString() : JSON.stringify(sent.body) }),
      });
      return { status: statusCode, headers, body: parsed(await body.text()) };
    } catch {
      // No answer, a broken one or a slow one: the same for the user.
      return { status: 0, headers: {}, body: undefined };
    }
  }

  #pool(url: string): Pool {
    return new Pool(new URL(url).origin, { connections: this.#connections, headersTimeout: ATTEMPT_MS, bodyTimeout: ATTEMPT_MS });
  }
}

function parsed(text: string): unknown {
  try {
    return text === '' ? undefined : JSON.parse(text);
  } catch {
    return undefined;
  }
}
