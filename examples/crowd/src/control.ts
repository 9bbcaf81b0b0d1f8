import type { Crowd } from './crowd.ts';
import type { Meter } from './meter.ts';
import type { Probed } from './probe.ts';
import { fetchAll, replayRenewals, sendOldCookies } from './campaigns.ts';
import { parseInput, type Command, type CrowdEvent } from './protocol.ts';
import { reportOf, type Report } from './report.ts';
import type { World } from './world.ts';

/** What the operator's lines act on. */
export interface ControlOptions {
  readonly world: World;
  readonly crowd: Crowd;
  readonly meter: Meter;
  readonly write: (event: CrowdEvent) => void;
  /** How long the parent may take to say what the target holds, milliseconds; default 60000. */
  readonly askMs?: number;
}

const PROGRESS_EVERY_MS = 500;

/** Carries out the commands of standard input, one after the other, and answers on standard output. */
export class Control {
  readonly #options: ControlOptions;
  readonly #ticker: NodeJS.Timeout;
  readonly #asked = new Map<number, (present: ReadonlySet<string>) => void>();
  readonly #stopped = Promise.withResolvers<void>();
  #queue: Promise<void> = Promise.resolve();
  #asks = 0;
  #probed: Probed | undefined;

  constructor(options: ControlOptions) {
    this.#options = options;
    const { meter, write } = options;
    this.#ticker = setInterval(() => write({ event: 'second', total: meter.total, ...meter.read() }), 1000);
  }

  /** Resolves after `stop`. */
  get stopped(): Promise<void> {
    return this.#stopped.promise;
  }

  /** Takes a line of input. Answers to questions go before commands that wait. */
  take(line: string): void {
    const { write } = this.#options;
    let input: ReturnType<typeof parseInput>;
    try {
      input = parseInput(line);
    } catch (error) {
      write({ event: 'error', code: 'bad_command', message: messageOf(error) });
      return;
    }
    if ('answer' in input) {
      this.#asked.get(input.answer)?.(new Set(input.present));
      return;
    }
    const command = input;
    const id = command.id === undefined ? {} : { id: command.id };
    this.#queue = this.#queue
      .then(() => this.#carryOut(command))
      .then((came) => {
        if (typeof came === 'object') write({ event: 'report', ...came, ...id });
        else write({ event: 'done', do: command.do, ...(came === undefined ? {} : { count: came }), ...id });
      })
      .catch((error: unknown) => write({ event: 'error', code: 'command_failed', message: messageOf(error), ...id }))
      .then(() => (command.do === 'stop' ? this.#stopped.resolve() : undefined));
  }

  /** Lets all users rest and ends the ticking. */
  async end(): Promise<void> {
    clearInterval(this.#ticker);
    await this.#options.crowd.rest();
  }

  /** Answers a report, or how many there were of what was asked for. */
  async #carryOut(command: Command): Promise<Report | number | undefined> {
    const { world, crowd } = this.#options;
    switch (command.do) {
      case 'start':
        crowd.start();
        break;
      case 'rest':
        await crowd.rest();
        break;
      case 'mode':
        world.settings.percent = command.percent ?? 100;
        world.settings.mode = command.mode;
        world.settings.toldOnly = command.toldOnly ?? false;
        world.settings.brokenPercent = command.broken ?? 0;
        break;
      case 'drop':
        world.settings.dropped = command.share;
        break;
      case 'fetch-all':
        return fetchAll(world, command.concurrency ?? 64, this.#progress('fetch-all'));
      case 'replay-renewals':
        return replayRenewals(world, command.count);
      case 'stateless':
        world.settings.stateless = true;
        break;
      case 'retired':
        world.settings.retired = true;
        return sendOldCookies(world, command.cookies);
      case 'set-gateway':
        world.client.direct(typeof command.url === 'string' ? [command.url] : command.url, command.auth);
        break;
      case 'overlap':
        world.settings.overlap = command.on;
        break;
      case 'probe-all':
        await this.#probeAll(command);
        return this.#report();
      case 'report':
        return this.#report();
      case 'stop':
        await this.end();
        return this.#report();
    }
    return undefined;
  }

  #report(): Report {
    return reportOf(this.#options.world, this.#probed);
  }

  async #probeAll(command: Command & { do: 'probe-all' }): Promise<void> {
    const { crowd } = this.#options;
    this.#probed = await crowd.probeAll({
      tokens: command.tokens ?? false,
      ...(command.presence === false ? {} : { present: (ids) => this.#ask(ids) }),
      onProgress: this.#progress('probe-all'),
    });
  }

  #progress(name: 'probe-all' | 'fetch-all'): (done: number, total: number) => void {
    let told = performance.now();
    return (done, total) => {
      if (performance.now() - told < PROGRESS_EVERY_MS && done < total) return;
      told = performance.now();
      this.#options.write({ event: 'progress', do: name, done, total });
    };
  }

  async #ask(ids: readonly string[]): Promise<ReadonlySet<string>> {
    const n = ++this.#asks;
    const { promise, resolve, reject } = Promise.withResolvers<ReadonlySet<string>>();
    const late = setTimeout(() => reject(new Error('the parent did not say what the target holds')), this.#options.askMs ?? 60_000);
    this.#asked.set(n, resolve);
    this.#options.write({ ask: 'present', n, ids });
    try {
      return await promise;
    } finally {
      clearTimeout(late);
      this.#asked.delete(n);
    }
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : 'unknown failure';
}
