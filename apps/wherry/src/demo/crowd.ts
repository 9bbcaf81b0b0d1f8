import { startChild, type Child } from './child.ts';

/** What the crowd's ledger says at the end; the figures of the closing line and a few more. */
export interface CrowdReport {
  readonly carried: number;
  readonly lost: number;
  readonly resurrected: number;
  readonly signedOut: number;
  readonly authoritiesChanged: number;
  readonly otherUser: number;
  readonly unavailable: number;
  readonly failed: number;
  readonly requests: number;
  readonly unjudged: number;
  readonly refused: number;
  readonly recovered: number;
  /** Accepted though they were mutilated tokens, superseded renewal credentials, cookies after retire. */
  readonly forged: number;
  readonly staleRenewals: number;
  readonly stateful: number;
  readonly told: number;
  readonly renewals: {
    readonly exchanged: number;
    readonly renewed: number;
    readonly silent: number;
    readonly refused: number;
    readonly recovered: number;
    readonly dropped: number;
  };
  readonly sessions: {
    readonly total: number;
    readonly live: number;
    readonly ended: number;
    readonly undecided: number;
    readonly expired: number;
  };
  /** Sessions that were live when all were asked for. */
  readonly probed: { readonly live: number };
  readonly offences: readonly unknown[];
}

/** Options of {@link Crowd.start}. */
export interface CrowdStart {
  readonly gatewayUrl: string;
  readonly authUrl: string;
  readonly users: number;
  readonly seed: number;
  /** File of sessions that were signed in beforehand. */
  readonly seeds: string;
  readonly ledger: string;
  /** Mean pause of a user between two acts. */
  readonly thinkMs: number;
  /** Number of the first user who is not among the seeds. */
  readonly firstUser: number;
  /** Those of the ids (SHA-256 of the canonical session id, hex) that the target holds. */
  readonly present: (ids: readonly string[]) => Promise<readonly string[]>;
  readonly onFault: (fault: unknown) => void;
  /** What a command that takes long has done, and how many a second. */
  readonly onProgress: (step: string, done: number, total: number, rate: number) => void;
}

interface CrowdMessage {
  readonly event?: string;
  readonly do?: string;
  readonly done?: number;
  readonly total?: number;
  /** How many there were of what a command asked for. */
  readonly count?: number;
  readonly id?: number;
  readonly ask?: string;
  readonly n?: number;
  readonly ids?: readonly string[];
  readonly message?: string;
}

/** The virtual users: a process that shares no code with us and talks in lines of JSON. */
export class Crowd {
  readonly #child: Child;
  readonly #options: CrowdStart;
  readonly #waiting = new Map<number, { resolve: (message: CrowdMessage) => void; reject: (error: Error) => void }>();
  #next = 1;
  #toldAt = 0;
  /** Requests so far, and the slowest second's p99. */
  requests = 0;

  private constructor(child: Child, options: CrowdStart) {
    this.#child = child;
    this.#options = options;
    child.onLine((line) => this.#take(JSON.parse(line) as CrowdMessage));
    void child.ended.then(() => {
      for (const { reject } of this.#waiting.values()) reject(new Error('the crowd has ended'));
    });
  }

  static async start(options: CrowdStart): Promise<Crowd> {
    const { gatewayUrl, authUrl, users, seed, seeds, ledger, firstUser, thinkMs } = options;
    const args = ['--gateway', gatewayUrl, '--auth', authUrl, '--users', String(users), '--seed', String(seed)];
    const child = await startChild({
      name: 'the crowd',
      script: 'examples/crowd/src/main.ts',
      args: [...args, '--seeds', seeds, '--ledger', ledger, '--first-user', String(firstUser), '--think-ms', String(thinkMs)],
      ready: (line) => line.includes('"ready"'),
      readyMs: 120_000,
    });
    return new Crowd(child, options);
  }

  /** Gives a command and waits until it is done. */
  async tell(command: { readonly do: string } & Readonly<Record<string, unknown>>): Promise<CrowdMessage> {
    const id = this.#next++;
    this.#toldAt = performance.now();
    const { promise, resolve, reject } = Promise.withResolvers<CrowdMessage>();
    this.#waiting.set(id, { resolve, reject });
    this.#child.send(JSON.stringify({ ...command, id }));
    return promise;
  }

  /** What the ledger says. */
  async report(): Promise<CrowdReport> {
    return (await this.tell({ do: 'report' })) as unknown as CrowdReport;
  }

  async stop(): Promise<void> {
    await this.#child.stop();
  }

  #take(message: CrowdMessage): void {
    if (message.ask === 'present') {
      void this.#answer(message);
      return;
    }
    if (message.event === 'second') this.requests = message.total ?? 0;
    if (message.event === 'progress') this.#showProgress(message);
    if (message.event === 'fault') this.#options.onFault(message);
    if (message.id === undefined) return;
    const waiting = this.#waiting.get(message.id);
    if (message.event === 'done' || message.event === 'report') waiting?.resolve(message);
    else if (message.event === 'error') waiting?.reject(new Error(`the crowd: ${message.message ?? 'a command failed'}`));
    else return;
    this.#waiting.delete(message.id);
  }

  #showProgress({ do: step = '', done = 0, total = 0 }: CrowdMessage): void {
    const seconds = (performance.now() - this.#toldAt) / 1000;
    this.#options.onProgress(step, done, total, seconds > 0 ? Math.round(done / seconds) : 0);
  }

  async #answer({ n, ids }: CrowdMessage): Promise<void> {
    const present = await this.#options.present(ids ?? []);
    this.#child.send(JSON.stringify({ answer: n, present }));
  }
}
