import { replay, speak, type Line } from './conversation.ts';
import { isLive, judgePresence } from './judge.ts';
import { now } from './ledger.ts';
import type { World } from './world.ts';

/** Options of {@link probeAll}. */
export interface ProbeOptions {
  /** Requests at the same time; default 64. */
  readonly concurrency?: number;
  /** Also exchange the cookie of every session whose user sends JWTs, not only of those who hold a token; default false. */
  readonly tokens?: boolean;
  /** Which of these sessions does the target hold? By digest; undefined: the target is not asked. */
  readonly present?: (ids: readonly string[]) => Promise<ReadonlySet<string>>;
  readonly onProgress?: (done: number, total: number) => void;
}

/** What a probe of everything found; faults are in the tally. */
export interface Probed {
  /** Sessions that are live by the record. */
  readonly live: number;
  /** Of these: answered 200, to every kind of credential that its client sends, with the right user and equal authorities. */
  readonly carried: number;
  /** Ended credentials that were tried again. */
  readonly ended: number;
  /** Sessions that the target was asked for. */
  readonly asked: number;
}

const ASK_AT_ONCE = 1000;
const PROBE: Omit<Line, 'credential'> = { act: 'probe', request: () => ({ to: 'gateway', method: 'GET', path: '/whoami' }) };

/** Asks once for every session that is live by the record, tries what has ended, and asks the target what it holds. The users should rest meanwhile. */
export async function probeAll(world: World, options: ProbeOptions = {}): Promise<Probed> {
  const at = now();
  const live = [...world.ledger.sessions()].filter((session) => isLive(session, at)).map((session) => session.id);
  const ended = world.wallet.endedSample();
  const total = live.length + ended.length;
  let done = 0;
  let carried = 0;
  const step = (): void => options.onProgress?.(++done, total);

  await eachOf(live, options.concurrency ?? 64, async (session) => {
    if (world.settings.stateless) {
      if ((await speak(world, session, { ...PROBE, credential: 'best' }))?.carried === true) carried++;
      step();
      return;
    }
    const byCookie = await speak(world, session, { ...PROBE, credential: 'cookie' });
    const holdsToken = world.wallet.token(session) !== undefined || options.tokens === true;
    const byToken = holdsToken ? await speak(world, session, { ...PROBE, credential: 'best' }) : byCookie;
    if (byCookie?.carried === true && byToken?.carried === true) carried++;
    step();
  });
  await eachOf(ended, options.concurrency ?? 64, async (credential) => {
    await replay(world, credential);
    step();
  });
  const known = live.filter((session) => world.ledger.session(session).origin !== 'hand-over');
  const asked = options.present === undefined ? 0 : await askTarget(world, known, options.present);
  return { live: live.length, carried, ended: ended.length, asked };
}

async function askTarget(world: World, ids: readonly string[], present: NonNullable<ProbeOptions['present']>): Promise<number> {
  for (let from = 0; from < ids.length; from += ASK_AT_ONCE) {
    const asked = ids.slice(from, from + ASK_AT_ONCE);
    const held = await present(asked);
    const at = now();
    for (const id of asked) {
      world.ledger.append({ entry: 'presence', session: id, present: held.has(id) });
      const session = world.ledger.session(id);
      if (judgePresence(session, held.has(id), at) !== 'lost') continue;
      const offence = world.tally.addLost(session, at);
      if (offence !== undefined) world.onOffence(offence);
    }
  }
  return ids.length;
}

/** Works through the items, so many at the same time. */
export async function eachOf<T>(items: readonly T[], concurrency: number, work: (item: T) => Promise<void>): Promise<void> {
  const rest = items.values();
  await Promise.all(
    Array.from({ length: concurrency }, async () => {
      for (const item of rest) await work(item);
    }),
  );
}
