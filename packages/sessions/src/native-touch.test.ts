import fc from 'fast-check';
import { expect, test } from 'vitest';
import { nativeTouch } from './native-touch.ts';
import { carriedSessionKey, type SessionRecord } from './record.ts';

const DAY_MS = 86_400_000;

function record(createTime: number, lastAccessTime: number, expireTime: number | null): SessionRecord {
  return {
    key: carriedSessionKey('any'),
    userId: '1',
    username: null,
    role: null,
    authorities: [],
    createTime,
    lastAccessTime,
    expireTime,
    userGeneration: 0,
    attributes: '{}',
    version: { epoch: 1, n: 1 },
    touchVersion: lastAccessTime,
    sourceRef: null,
  };
}

test('however often a session is touched, it never lives past its absolute end', () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 1, max: DAY_MS }), { maxLength: 50 }),
      fc.integer({ min: 1, max: 7 * DAY_MS }),
      (pauses, absoluteMs) => {
        let [now, current] = [1_000_000, record(1_000_000, 1_000_000, 1_000_000 + DAY_MS)];
        for (const pause of pauses) {
          now += pause;
          const touch = nativeTouch(current, now, absoluteMs);
          expect(touch.expireTime).toBeLessThanOrEqual(1_000_000 + absoluteMs);
          current = { ...current, ...touch };
        }
      },
    ),
  );
});

test('a touch gives the idle time that the session has', () => {
  expect(nativeTouch(record(0, 1000, 31_000), 20_000, DAY_MS)).toEqual({
    lastAccessTime: 20_000,
    expireTime: 50_000,
    touchVersion: 20_000,
  });
});
