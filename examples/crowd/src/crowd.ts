import { setTimeout as delay } from 'node:timers/promises';
import { probeAll, type Probed, type ProbeOptions } from './probe.ts';
import { Random } from './random.ts';
import type { Adopted } from './seeds.ts';
import { VirtualUser } from './user.ts';
import type { World } from './world.ts';

/** Options of {@link Crowd}. */
export interface CrowdOptions {
  readonly world: World;
  /** Chooses who does what when; not how long the servers take. */
  readonly seed: number;
  /** How many users act. */
  readonly users: number;
  /** Sessions that the first users are signed in with. */
  readonly adopted?: readonly Adopted[];
  /** Number of the first user who has no such session. */
  readonly firstUser?: number;
}

/** Many users at the same time, each one act after the other with pauses between. */
export class Crowd {
  readonly #world: World;
  readonly #users: readonly VirtualUser[];
  readonly #random: Random;
  #work: AbortController | undefined;
  #running: Promise<unknown> = Promise.resolve();

  constructor(options: CrowdOptions) {
    this.#world = options.world;
    this.#random = Random.part(options.seed, -1);
    this.#users = Array.from({ length: options.users }, (_, n) => {
      const adopted = options.adopted?.[n];
      const name = adopted?.username ?? `user${(options.firstUser ?? 0) + n}`;
      return new VirtualUser(options.world, Random.part(options.seed, n), name, adopted?.session);
    });
  }

  /** Lets all users act. Does nothing when they do already. */
  start(): void {
    if (this.#work !== undefined) return;
    const work = new AbortController();
    this.#work = work;
    this.#running = Promise.all(this.#users.map((user) => this.#live(user, work.signal)));
  }

  /** Resolves when every user has finished what he was doing. */
  async rest(): Promise<void> {
    this.#work?.abort();
    this.#work = undefined;
    await this.#running;
  }

  /** Probes everything while the users rest; then they go on, if they were at work before. */
  async probeAll(options: ProbeOptions): Promise<Probed> {
    const working = this.#work !== undefined;
    await this.rest();
    try {
      return await probeAll(this.#world, options);
    } finally {
      if (working) this.start();
    }
  }

  async #live(user: VirtualUser, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await delay(this.#random.wait(this.#world.settings.thinkMs), undefined, { signal }).catch(() => undefined);
      if (!signal.aborted) await user.act();
    }
  }
}
