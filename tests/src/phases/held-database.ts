import type { Database } from '@wherry/core/control';

/** What a process follows over the control database, and can be kept from hearing of. */
export type HeldTopic = 'rollout' | 'revocation';

/** How the statements that load a topic are known. */
const LOADS: Readonly<Record<HeldTopic, string>> = { rollout: 'FROM rollout_list', revocation: 'FROM revocation' };

/** The control database of one process, as slow or as far away as a test wants it. */
export interface HeldDatabase {
  /** The version of the rollout that was loaded last. */
  readonly rolloutVersion: number;
  readonly isCut: boolean;
  /** What does not arrive. */
  readonly held: ReadonlySet<HeldTopic>;
  /** From now on what is new of a topic does not arrive: its lease goes on, and it acknowledges nothing. */
  hold(topic: HeldTopic): void;
  /** From now on no statement arrives. */
  cut(): void;
  /** All is as before. */
  release(): void;
}

/** Takes the statements of `database` in hand. */
export function holdDatabase(database: Database): HeldDatabase {
  const query = database.query.bind(database) as (...args: readonly unknown[]) => Promise<unknown>;
  const connect = database.connect.bind(database) as (...args: readonly unknown[]) => Promise<unknown>;
  const held = new Set<HeldTopic>();
  let cut = false;
  let version = -1;
  let freed = Promise.withResolvers<void>();
  const lost = (): Error => Object.assign(new Error('the way to the control database was cut'), { code: 'ECONNRESET' });
  const gatedQuery = async (...args: readonly unknown[]): Promise<unknown> => {
    const text = textOf(args[0]);
    for (const topic of held) if (text.includes(LOADS[topic])) await freed.promise;
    if (cut) throw lost();
    const answer = await query(...args);
    // An answer that was on its way is lost with the connection.
    if (cut) throw lost();
    if (text.includes(LOADS.rollout))
      version = Number((answer as { readonly rows: readonly { readonly version: bigint }[] }).rows[0]?.version);
    return answer;
  };
  // The pool calls it with a callback for its own statements, which were let through already.
  const gatedConnect = (...args: readonly unknown[]): Promise<unknown> =>
    cut && args.length === 0 ? Promise.reject(lost()) : connect(...args);
  Object.assign(database, { query: gatedQuery, connect: gatedConnect });
  return {
    held,
    get rolloutVersion() {
      return version;
    },
    get isCut() {
      return cut;
    },
    hold: (topic) => void held.add(topic),
    cut: () => {
      cut = true;
    },
    release: () => {
      cut = false;
      held.clear();
      freed.resolve();
      freed = Promise.withResolvers();
    },
  };
}

function textOf(statement: unknown): string {
  return typeof statement === 'string' ? statement : ((statement as { readonly text?: string } | undefined)?.text ?? '');
}
