import { randomBytes } from 'node:crypto';
import { listDeadLetters } from '@wherry/sessions';
import { expect, inject, test } from 'vitest';
import { DJANGO } from './django.ts';
import { NODE } from './node.ts';
import { PHP } from './php.ts';
import { HOSTILE } from './software.ts';
import { SPRING } from './spring.ts';
import { openTown } from './town.ts';
import { Visitors, type Visitor } from './visitors.ts';

/*
 * Each software's sessions, in the form that it writes itself, go to the shards, back and there again, while browsers ask
 * the gateway with the software's own cookie. The ledger of their answers has to be clean.
 */
const SESSIONS = 84;
/** Of those, one in so many is saved or ended on each side. */
const EVERY = 7;
/** Per cent of the slots: the way costs time for every slot, empty ones too. */
const FIRST_SHARE = 20;
const SECOND_SHARE = 30;
/** A software takes five seconds on a machine that has nothing else to do. */
const TIMEOUT_MS = 600_000;
/** Which the software itself is asked for, where it is at hand: those whose classes its program has, and that JSON can tell. */
const isReadByItself = (n: number): boolean => n % 2 === 0 && (n % EVERY === 0 || n % EVERY === 6);
const MOST_READ = 4;

test.each([...SPRING, ...PHP, ...DJANGO, ...NODE])('$name', { timeout: TIMEOUT_MS }, async (software) => {
  const prefix = software.prefix(`whole-${randomBytes(4).toString('hex')}`);
  await using stack = new AsyncDisposableStack();
  const application = stack.adopt(await software.open(inject('redisUrl'), prefix), (opened) => opened.close());
  const source = { WHERRY_SOURCE_URL: inject('redisUrl'), WHERRY_SOURCE_PREFIX: prefix, ...software.settings };
  const town = stack.use(await openTown(inject('postgresUrl'), source, software.format));
  const visitors = stack.adopt(new Visitors(town.gatewayUrl), (running) => running.stop());

  const logIn = async (n: number): Promise<Visitor> => {
    const rawId = software.newId();
    const owner = await application.write(rawId, n, 0);
    return { ...owner, rawId, cookie: software.cookie(rawId), state: 'live' };
  };
  /** What the application finds of each. */
  const looks: (string | undefined)[] = [];
  /** What the software itself says of those that were changed. */
  const said = new Map<number, unknown>();
  const itself = software.itself?.bind(software, inject('redisUrl'), prefix);
  /** What the application would save in a later round, as its store takes it. */
  const valueOf = async (n: number, round: number): Promise<string> => {
    const rawId = software.newId();
    await application.write(rawId, n, round);
    const [found] = await town.source.get([rawId]);
    looks[n] = await application.look(rawId);
    if (itself !== undefined && isReadByItself(n) && said.size < MOST_READ) said.set(n, await itself(rawId));
    await application.forget(rawId);
    if (found === undefined) throw new Error('the source does not see what the application wrote');
    return found.value;
  };
  const chosen = (rest: number): number[] =>
    [...visitors.all.keys()].filter((n) => n % EVERY === rest && visitors.all[n]?.state === 'live');
  const at = (n: number): Visitor => visitors.all[n] ?? expect.unreachable();
  const change = async (ns: readonly number[], round: number): Promise<void> => {
    for (const n of ns) expect(await town.sessions.save(at(n).rawId, await valueOf(n, round), software.lifeMs)).toBe('saved');
  };
  const logOut = async (ns: readonly number[]): Promise<void> => {
    for (const n of ns) {
      at(n).state = 'ending';
      const { propagated } = await town.sessions.end(at(n).rawId, 'logout');
      // On a machine that stands still the gateway may hear of it later than the end waits for it.
      if (!propagated) await expect.poll(() => visitors.isSignedIn(at(n))).toBe(false);
      at(n).state = 'ended';
    }
  };

  for (let n = 0; n < SESSIONS; n++) visitors.all.push(await logIn(n));
  for (const { rawId } of visitors.all) looks.push(await application.look(rawId));
  expect(new Set(looks)).not.toContain(undefined);
  expect(await town.wherry('migrate plan')).toMatch(new RegExp(`^format +${software.planned ?? software.format}$`, 'm'));

  const planted = new Map<string, string | undefined>();
  for (const kind of HOSTILE) {
    const rawId = software.newId();
    await application.plant(rawId, kind);
    planted.set(rawId, await application.look(rawId));
  }

  visitors.start();
  await town.migrate();
  await town.wherry(`migrate switch ${FIRST_SHARE}`);
  // Nothing is switched while nobody has decided about what cannot be carried.
  const refused = async (): Promise<readonly string[]> => (await listDeadLetters(town.control, 10)).map(({ reason }) => reason).toSorted();
  await expect.poll(refused, { timeout: TIMEOUT_MS / 2 }).toEqual(Object.values(software.refused).toSorted());
  expect(await town.wherry('migrate dead-letters abandon --reason hostile')).toBe(`${Object.keys(software.refused).length} abandoned`);
  await town.atGoal();
  await visitors.ask();
  await logOut(chosen(1));
  // Of these nothing is left in the source: what lies there afterwards was written by us alone.
  const away: number[] = [];
  for (const n of [0, 2, 5, 6].flatMap((rest) => chosen(rest))) {
    const read = await town.sessions.read(at(n).rawId);
    if (read.state !== 'live' || read.side !== 'target') continue;
    await application.forget(at(n).rawId);
    away.push(n);
  }
  await change(away, 1);
  await change(
    chosen(2).filter((n) => !away.includes(n)),
    1,
  );

  await town.wherry('migrate rollback');
  await town.atGoal();
  await visitors.ask();
  for (const [n, { rawId, state }] of visitors.all.entries())
    expect(await application.look(rawId), `session ${n}`).toBe(state === 'ended' ? undefined : looks[n]);
  for (const [rawId, before] of planted) expect(await application.look(rawId)).toBe(before);
  for (const [n, session] of said) {
    expect(Object.keys(session as object)).not.toEqual([]);
    expect(await itself?.(at(n).rawId), `session ${n}`).toEqual(session);
  }
  // An ended one is nobody's for the software, whatever it writes under the id then.
  if (itself !== undefined) expect(Object.keys((await itself(at(1).rawId)) as object)).toEqual([]);
  await logOut(chosen(3));
  await change(chosen(4), 2);

  await town.wherry(`migrate switch ${SECOND_SHARE}`);
  await town.atGoal();
  await visitors.ask();
  const { answered, ...faults } = visitors.verdict;
  expect(faults).toEqual({ signedOut: 0, resurrected: 0, otherUser: 0, otherAuthorities: 0 });
  expect(answered).toBeGreaterThan(3 * SESSIONS);
  expect(await refused()).toEqual(Object.values(software.refused).toSorted());
});
