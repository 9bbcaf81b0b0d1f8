import { randomBytes } from 'node:crypto';
import { listDeadLetters } from '@wherry/sessions';
import { expect, inject, test } from 'vitest';
import { DJANGO } from './django.ts';
import { NODE } from './node.ts';
import { PHP } from './php.ts';
import { SPRING } from './spring.ts';
import { openTown } from './town.ts';
import { Visitors, type Visitor } from './visitors.ts';

/*
 * Each software's sessions, in the form that it writes itself, go to the shards, back and there again, while browsers ask
 * the gateway with the software's own cookie. The ledger of their answers has to be clean.
 */
const SESSIONS = 42;
/** Of those, one in so many is saved or ended on each side. */
const EVERY = 7;

test.each([...SPRING, ...PHP, ...DJANGO, ...NODE])('$name', async (software) => {
  const prefix = software.prefix(`whole-${randomBytes(4).toString('hex')}`);
  await using stack = new AsyncDisposableStack();
  const application = stack.adopt(await software.open(inject('redisUrl'), prefix), (opened) => opened.close());
  const source = { WHERRY_SOURCE_URL: inject('redisUrl'), WHERRY_SOURCE_PREFIX: prefix, ...software.settings };
  const town = stack.use(await openTown(inject('postgresUrl'), { ...source, WHERRY_SOURCE_FORMAT: software.format }));
  const visitors = stack.adopt(new Visitors(town.gatewayUrl), (running) => running.stop());

  const logIn = async (n: number): Promise<Visitor> => {
    const rawId = software.newId();
    const owner = await application.write(rawId, n, 0);
    return { ...owner, rawId, cookie: software.cookie(rawId), state: 'live' };
  };
  /** What the application would save in a later round, as its store takes it. */
  const valueOf = async (n: number, round: number): Promise<string> => {
    const rawId = software.newId();
    await application.write(rawId, n, round);
    const [found] = await town.source.get([rawId]);
    await application.forget(rawId);
    if (found === undefined) throw new Error('the source does not see what the application wrote');
    return found.value;
  };
  const chosen = (rest: number): number[] => [...visitors.all.keys()].filter((n) => n % EVERY === rest && visitors.all[n]?.state === 'live');
  const at = (n: number): Visitor => visitors.all[n] ?? expect.unreachable();
  const change = async (ns: readonly number[], round: number): Promise<void> => {
    for (const n of ns) expect(await town.sessions.save(at(n).rawId, await valueOf(n, round), software.lifeMs)).toBe('saved');
  };
  const logOut = async (ns: readonly number[]): Promise<void> => {
    for (const n of ns) {
      at(n).state = 'ending';
      await (await town.sessions.end(at(n).rawId, 'logout')).propagated;
      at(n).state = 'ended';
    }
  };

  for (let n = 0; n < SESSIONS; n++) visitors.all.push(await logIn(n));
  const looks = await Promise.all(visitors.all.map(({ rawId }) => application.look(rawId)));
  expect(new Set(looks)).not.toContain(undefined);
  expect(await town.wherry('migrate plan')).toMatch(new RegExp(`^format +${software.format}$`, 'm'));

  visitors.start();
  await town.migrate();
  await town.atGoal();
  expect(await listDeadLetters(town.control, 10)).toEqual([]);
  await visitors.ask();
  await logOut(chosen(1));
  await change(chosen(2), 1);

  await town.wherry('migrate rollback');
  await town.atGoal();
  await visitors.ask();
  for (const [n, { rawId, state }] of visitors.all.entries()) {
    const now = await application.look(rawId);
    if (state === 'ended') expect(now).toBeUndefined();
    else if (n % EVERY !== 2) expect(now).toBe(looks[n]);
    else {
      const wanted = software.newId();
      await application.write(wanted, n, 1);
      expect(now).toBeDefined();
      await application.forget(wanted);
    }
  }
  await logOut(chosen(3));
  await change(chosen(4), 2);

  await town.wherry('migrate switch 100');
  await town.atGoal();
  await visitors.ask();
  const { answered, ...faults } = visitors.verdict;
  expect(faults).toEqual({ signedOut: 0, resurrected: 0, otherUser: 0, otherAuthorities: 0 });
  expect(answered).toBeGreaterThan(3 * SESSIONS);
  expect(await listDeadLetters(town.control, 10)).toEqual([]);
});
