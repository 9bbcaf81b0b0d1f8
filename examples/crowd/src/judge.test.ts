import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { RequestFacts, SessionFacts } from './facts.ts';
import { EXPIRY_TOLERANCE_MS, isCarried, isLive, judgePresence, judgeRequest, sameSet, type Verdict } from './judge.ts';

const session: SessionFacts = {
  id: 'a'.repeat(64),
  userId: '10007',
  username: 'user7',
  authorities: ['member', 'cart:write'],
  origin: 'log-in',
  beganAt: 0,
  ttlMs: 3_600_000,
  expectedExpiry: 3_600_000,
  ending: undefined,
};
const request: RequestFacts = {
  session: session.id,
  act: 'whoami',
  kind: 'cookie',
  credential: 'b'.repeat(64),
  startedAt: 1000,
  endedAt: 1010,
  status: 200,
  attempts: 1,
  userId: '10007',
  authorities: ['cart:write', 'member'],
  expectedExpiry: 3_600_000,
};
const ended = (startedAt: number, acknowledgedAt?: number): SessionFacts => ({
  ...session,
  ending: { by: 'log-out', startedAt, acknowledgedAt },
});

describe('judgeRequest', () => {
  it.each<[string, SessionFacts, Partial<RequestFacts>, Verdict]>([
    ['a right answer', session, {}, 'good'],
    ['an answer that names nobody', session, { act: 'cart' }, 'good'],
    ['401 on a live session', session, { status: 401 }, 'signed-out'],
    ['401 past the expected expiry', session, { status: 401, expectedExpiry: 1010 + EXPIRY_TOLERANCE_MS }, 'unjudged'],
    ['an authority too many', session, { authorities: ['member', 'cart:write', 'admin'] }, 'authorities-changed'],
    ['an authority too few', session, { authorities: ['member'] }, 'authorities-changed'],
    ['none left', session, { authorities: [] }, 'authorities-changed'],
    ['somebody else', session, { userId: '10008' }, 'other-user'],
    ['200 after an acknowledged log-out', ended(500, 900), {}, 'resurrected'],
    ['200 sent in the very moment of the acknowledgement', ended(500, 1000), {}, 'resurrected'],
    ['401 after an acknowledged log-out', ended(500, 900), { status: 401 }, 'refused'],
    ['a request sent before the acknowledgement', ended(500, 1001), {}, 'unjudged'],
    ['a request that a log-out overlaps', ended(1005, 1200), { status: 401 }, 'unjudged'],
    ['a log-out without a word', ended(500), { status: 401 }, 'unjudged'],
    ['a log-out that started when the answer was there', ended(1011, 1020), { status: 401 }, 'signed-out'],
    ['503 for longer than the patience', session, { status: 503, attempts: 30 }, 'unavailable'],
    ['no answer at all', session, { status: 0, attempts: 30 }, 'unavailable'],
    ['an internal fault', session, { status: 500 }, 'failed'],
    ['a refused renewal that one exchange made good', session, { act: 'renew', kind: 'renewal', status: 401, recovered: true }, 'good'],
    ['a refused renewal that nothing made good', session, { act: 'renew', kind: 'renewal', status: 401 }, 'signed-out'],
    ['a mutilated token that is refused', session, { unfit: 'mutilated', status: 401 }, 'refused'],
    ['a mutilated token that is taken', session, { unfit: 'mutilated' }, 'forged'],
    ['a superseded renewal credential that is taken', session, { unfit: 'superseded' }, 'stale-renewal'],
    ['a cookie that is taken after retire', session, { unfit: 'retired' }, 'stateful'],
    ['a cookie that is taken after retire, of an ended session', ended(500, 600), { unfit: 'retired' }, 'stateful'],
    ['a cookie that is refused in another way than by 401', session, { unfit: 'retired', status: 403 }, 'failed'],
    ['a mutilated token that nobody could judge', session, { unfit: 'mutilated', status: 503 }, 'unavailable'],
    ['an expired token, exchanged once', session, { kind: 'jwt', exchanged: 'expired' }, 'good'],
    ['an expired token whose successor is refused', session, { kind: 'jwt', exchanged: 'expired', status: 401 }, 'signed-out'],
    ['a token refused during its life, even if exchanged', session, { kind: 'jwt', exchanged: 'unexpired' }, 'signed-out'],
    ['a log-out that meets no session', ended(999), { act: 'log-out', ends: true, status: 401 }, 'signed-out'],
    ['a log-out that went well', ended(999), { act: 'log-out', ends: true, status: 204 }, 'good'],
    ['the repeat of a log-out whose answer was lost', ended(900), { act: 'log-out', ends: true, attempts: 2, status: 401 }, 'unjudged'],
  ])('judges %s', (_, facts, change, verdict) => {
    expect(judgeRequest(facts, { ...request, ...change })).toBe(verdict);
  });

  it('finds no fault with an honest server, whatever overlaps what', () => {
    const moment = fc.integer({ min: 0, max: 200 });
    const share = fc.double({ min: 0, max: 1, noNaN: true });
    const ending = fc.option(fc.record({ startedAt: moment, takes: moment, effect: share, acknowledged: fc.boolean() }), {
      nil: undefined,
    });
    fc.assert(
      fc.property(ending, moment, moment, share, (end, startedAt, takes, effect) => {
        // The server acts at some moment between question and answer, for the log-out and for the request.
        const endsAt = end === undefined ? Infinity : end.startedAt + end.takes * end.effect;
        const actsAt = startedAt + takes * effect;
        const status = actsAt < endsAt || (actsAt === endsAt && effect < 0.5) ? 200 : 401;
        const acknowledgedAt = end?.acknowledged === true ? end.startedAt + end.takes : undefined;
        const facts = end === undefined ? session : ended(end.startedAt, acknowledgedAt);
        // Both in the same moment is no order; an acknowledgement arrives after the end took effect.
        fc.pre(acknowledgedAt === undefined || acknowledgedAt !== startedAt || status === 401);
        const verdict = judgeRequest(facts, { ...request, startedAt, endedAt: startedAt + takes, status });
        expect(['good', 'refused', 'unjudged']).toContain(verdict);
      }),
    );
  });

  it('finds every wrong answer that no log-out overlaps', () => {
    const authority = fc.stringMatching(/^[a-z]{1,6}$/);
    fc.assert(
      fc.property(
        fc.uniqueArray(authority),
        fc.uniqueArray(authority),
        fc.boolean(),
        fc.integer({ min: 1, max: 500 }),
        (held, stated, out, gap) => {
          const facts: SessionFacts = { ...(out ? ended(100, 1000 - gap) : session), authorities: held };
          const verdict = judgeRequest(facts, { ...request, authorities: stated });
          const same = held.length === stated.length && held.every((value) => stated.includes(value));
          expect(verdict).toBe(out ? 'resurrected' : same ? 'good' : 'authorities-changed');
          expect(judgeRequest(facts, { ...request, status: 401 })).toBe(out ? 'refused' : 'signed-out');
        },
      ),
    );
  });
});

describe('judgePresence', () => {
  it('misses a live session only', () => {
    expect(judgePresence(session, false, 1000)).toBe('lost');
    expect(judgePresence(session, true, 1000)).toBe('good');
    expect(judgePresence(ended(1, 2), false, 1000)).toBe('unjudged');
    expect(judgePresence(session, false, session.expectedExpiry - EXPIRY_TOLERANCE_MS)).toBe('unjudged');
  });
});

it('counts a session as carried only when the answer named user and authorities', () => {
  expect(isCarried('good', request)).toBe(true);
  const { authorities: _, ...silent } = request;
  expect(isCarried('good', silent)).toBe(false);
  expect(isCarried('authorities-changed', request)).toBe(false);
});

it('knows a live session', () => {
  expect(isLive(session, 0)).toBe(true);
  expect(isLive(ended(1), 0)).toBe(false);
});

it('compares sets, not lists', () => {
  fc.assert(
    fc.property(fc.array(fc.string()), fc.string(), (values, other) => {
      expect(sameSet(values, [...values, ...values].toReversed())).toBe(true);
      expect(sameSet(values, [...values, other])).toBe(values.includes(other));
    }),
  );
});
