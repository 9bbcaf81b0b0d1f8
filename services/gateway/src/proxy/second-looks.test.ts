import type { Clock } from '@wherry/core';
import '@wherry/embedded/testing';
import { afterEach, expect, it, vi } from 'vitest';
import { Caller } from '../caller.ts';
import { refusal, type Outcome } from '../outcome.ts';
import type { Passing } from './passing.ts';
import { SecondLooks } from './second-looks.ts';
import type { UnderWay } from './under-way.ts';

const UNKNOWN_MS = 30_000;
const caller = new Caller('jwt', { userId: 'ann', authorities: [], kind: 'jwt' }, 0, undefined);
const closers: (() => void)[] = [];
afterEach(() => {
  for (const close of closers.splice(0)) close();
});

interface Stage {
  /** What the next looks come to. */
  verdict: Outcome | Promise<Outcome>;
  looks: number;
  nowMs: number;
  /** Whether its answer has begun. */
  lasts: boolean;
  cut: number;
  readonly underWay: Set<UnderWay>;
  /** Waits until every connection has been looked at once more. */
  nextLook(): Promise<void>;
}

function stage(who: Caller | 'nobody' = caller): Stage {
  const underWay = new Set<UnderWay>();
  const it: Stage = {
    verdict: caller,
    looks: 0,
    nowMs: 0,
    lasts: true,
    cut: 0,
    underWay,
    nextLook: async () => {
      const before = it.looks;
      await vi.waitFor(() => expect(it.looks).toBeGreaterThan(before + 1), { interval: 1 });
    },
  };
  const one: UnderWay = {
    passing: { caller: who === 'nobody' ? undefined : who, request: { url: '/', rawHeaders: [] } } as unknown as Passing,
    get lasts() {
      return it.lasts;
    },
    used: () => false,
    cut: () => {
      it.cut++;
      underWay.delete(one);
    },
    destroy: () => undefined,
  };
  underWay.add(one);
  const clock: Clock = { now: () => it.nowMs, monotonic: () => it.nowMs };
  const judge = (): Outcome | Promise<Outcome> => {
    it.looks++;
    return it.verdict;
  };
  const looks = new SecondLooks({ underWay, everyMs: 5, unknownMs: UNKNOWN_MS, judge, clock });
  closers.push(() => looks.stop());
  return it;
}

it('a caller who has ended is cut at the next look', async () => {
  const it = stage();
  await it.nextLook();
  expect(it.cut).toBe(0);
  it.verdict = refusal('jwt', 'token_session_ended');
  await vi.waitFor(() => expect(it.cut).toBe(1));
});

it('one of whom nobody can know goes on for a while, from the first time anew after each answer', async () => {
  const it = stage();
  const unknown = refusal('jwt', 'revocations_stale');
  it.verdict = unknown;
  await it.nextLook();
  it.nowMs += UNKNOWN_MS - 1;
  await it.nextLook();
  it.verdict = Promise.resolve(caller);
  await it.nextLook();
  it.verdict = Promise.resolve(unknown);
  await it.nextLook();
  it.nowMs += UNKNOWN_MS - 1;
  await it.nextLook();
  expect(it.cut).toBe(0);
  it.nowMs += 1;
  await vi.waitFor(() => expect(it.cut).toBe(1));
});

it('a look that is under way is not begun a second time', async () => {
  const it = stage();
  let answer: ((outcome: Outcome) => void) | undefined;
  it.verdict = new Promise((resolve) => (answer = resolve));
  await vi.waitFor(() => expect(it.looks).toBe(1));
  // Another one beside it is looked at all the time meanwhile.
  const other = stage();
  for (let i = 0; i < 3; i++) await other.nextLook();
  expect(it.looks).toBe(1);
  it.verdict = caller;
  answer?.(caller);
  await it.nextLook();
});

it('nobody is not looked at', async () => {
  const nobody = stage('nobody');
  const other = stage();
  for (let i = 0; i < 3; i++) await other.nextLook();
  expect(nobody.looks).toBe(0);
});

it('a request whose answer has not begun is finished, whatever has become of its caller', async () => {
  const waiting = stage();
  waiting.lasts = false;
  waiting.verdict = refusal('jwt', 'token_session_ended');
  const other = stage();
  for (let i = 0; i < 3; i++) await other.nextLook();
  expect([waiting.looks, waiting.cut]).toEqual([0, 0]);
  waiting.lasts = true;
  await vi.waitFor(() => expect(waiting.cut).toBe(1));
});
