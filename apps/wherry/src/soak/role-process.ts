import { appendFileSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { startChild, type Child, type ChildOptions } from '../demo/child.ts';

const AGAIN_MS = 300;

/** A process that is started again whenever it has ended, as a supervisor of services does. */
export class RoleProcess {
  readonly #options: ChildOptions;
  readonly #clockFile: string;
  readonly #logFile: string;
  #child: Child | undefined;
  #starting: Promise<void> | undefined;
  #stopping = false;
  /** Ends without having been killed: it gave up. */
  givenUp = 0;
  #killed = false;

  /** `files`: a path to which `.clock` and `.log` are added. */
  constructor(options: ChildOptions, files: string) {
    this.#options = options;
    this.#clockFile = `${files}.clock`;
    this.#logFile = `${files}.log`;
  }

  /** Starts it, and tries again until it is ready; gives up after `stop`. */
  async start(): Promise<void> {
    this.#starting ??= this.#launch().finally(() => (this.#starting = undefined));
    await this.#starting;
  }

  /** Resolves when it is ready. */
  async ready(): Promise<void> {
    while (!this.#stopping && this.#child === undefined) {
      if (this.#starting === undefined) await sleep(AGAIN_MS);
      else await this.#starting;
    }
  }

  /** undefined while it does not run. */
  get pid(): number | undefined {
    return this.#child?.pid;
  }

  kill(): void {
    this.#killed = true;
    this.#child?.signal('SIGKILL');
  }

  freeze(): void {
    this.#child?.signal('SIGSTOP');
  }

  thaw(): void {
    this.#child?.signal('SIGCONT');
  }

  /** Sets its wall clock, to `ms` from the right time. */
  setClock(ms: number): void {
    writeFileSync(this.#clockFile, String(ms));
    this.#child?.signal('SIGUSR2');
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    await this.#starting;
    await this.#child?.stop();
  }

  async #launch(): Promise<void> {
    while (!this.#stopping) {
      try {
        const child = await startChild(this.#options);
        this.#child = child;
        child.onLine((line) => appendFileSync(this.#logFile, `${line}\n`));
        void child.ended.then(() => this.#ended());
        return;
      } catch (error) {
        // A server that it needs may be down: it comes back.
        if (this.#stopping) throw error;
        await sleep(AGAIN_MS);
      }
    }
  }

  #ended(): void {
    this.#child = undefined;
    if (this.#stopping) return;
    if (!this.#killed) this.givenUp++;
    this.#killed = false;
    void this.start();
  }
}
