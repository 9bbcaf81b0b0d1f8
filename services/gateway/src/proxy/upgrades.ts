import type { IncomingMessage } from 'node:http';
import { WherryError } from '@wherry/core';
import type { UpgradeLimits } from '../options.ts';
import type { ExchangeResult } from './exchange.ts';
import type { Passing } from './passing.ts';
import { Upgrade } from './upgrade.ts';

/** Options of {@link Upgrades}. */
export interface UpgradesOptions extends UpgradeLimits {
  /** How long one side may take nothing of what waits for it, milliseconds. */
  readonly stuckMs: number;
  /** Under which address a request is counted; undefined: not known. */
  readonly addressOf: (request: IncomingMessage) => string | undefined;
}

const MAX = 10_000;
const PER_CALLER = 100;
const IDLE_MS = 300_000;

/** Connections that were upgraded: how many there may be, and how long one may be silent. */
export class Upgrades {
  readonly #open = new Map<Upgrade, string | undefined>();
  readonly #addressOf: UpgradesOptions['addressOf'];
  readonly #byCaller = new Map<string, number>();
  readonly #max: number;
  readonly #perCaller: number;
  readonly #timer: NodeJS.Timeout;
  #tick = 0;

  constructor({ max = MAX, perCaller = PER_CALLER, idleMs = IDLE_MS, stuckMs, addressOf }: UpgradesOptions) {
    this.#addressOf = addressOf;
    this.#max = max;
    this.#perCaller = perCaller;
    const tickMs = Math.max(10, Math.min(idleMs, stuckMs) / 2);
    const stuck = Math.ceil(stuckMs / tickMs);
    const idle = Math.ceil(idleMs / tickMs);
    this.#timer = setInterval(() => {
      this.#tick++;
      for (const one of this.#open.keys()) if (one.isOver(this.#tick, stuck, idle)) one.destroy();
    }, tickMs);
    this.#timer.unref();
  }

  get size(): number {
    return this.#open.size;
  }

  /** Takes a place for a connection. Errors: `too_many_connections` for one caller, `connections_exhausted` for all. */
  begin(
    passing: Passing,
    head: Buffer,
    deadlines: { readonly connectMs: number; readonly responseMs: number },
    settled: (result: ExchangeResult) => void,
  ): Upgrade {
    const name = this.#nameOf(passing);
    const own = name === undefined ? 0 : (this.#byCaller.get(name) ?? 0);
    if (own >= this.#perCaller)
      throw new WherryError('too_many_connections', 'this caller has too many open connections', { retryAfter: 5 });
    if (this.#open.size >= this.#max)
      throw new WherryError('connections_exhausted', 'too many connections are open here', { retryAfter: 5 });
    const upgrade: Upgrade = new Upgrade({
      passing,
      head,
      ...deadlines,
      settled: (result) => {
        this.#leave(upgrade);
        settled(result);
      },
    });
    this.#open.set(upgrade, name);
    if (name !== undefined) this.#byCaller.set(name, own + 1);
    return upgrade;
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #leave(upgrade: Upgrade): void {
    const name = this.#open.get(upgrade);
    if (!this.#open.delete(upgrade) || name === undefined) return;
    const left = (this.#byCaller.get(name) ?? 1) - 1;
    if (left > 0) this.#byCaller.set(name, left);
    else this.#byCaller.delete(name);
  }

  /** A user is counted under his id, nobody under his address; where a proxy does not tell that, all of its clients would count as one, so none does. */
  #nameOf({ caller, request }: Passing): string | undefined {
    if (caller !== undefined) return `user ${caller.principal.userId}`;
    const address = this.#addressOf(request);
    return address === undefined ? undefined : `address ${address}`;
  }
}
