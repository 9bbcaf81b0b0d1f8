import { createSecretKey } from 'node:crypto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { DeviceMarks } from './device-marks.ts';

const LIFE_MS = 30 * 86_400_000;
let now = 1_900_000_000_000;
const marksOf = (fill: number, lifeMs = LIFE_MS): DeviceMarks =>
  new DeviceMarks({ key: createSecretKey(Buffer.alloc(32, fill)), now: () => now, lifeMs });
const marks = marksOf(1);
const BROWSER = { origin: 'https://shop.example' };
const cookieOf = (setCookie: string | undefined): string => setCookie?.split(';')[0] ?? '';

test('a mark counts for its account, under its key, for its life, and for nothing else', () => {
  const given = marks.mark(BROWSER, 'ada');
  const cookie = cookieOf(given?.setCookie);
  expect(marks.read(`x=y; ${cookie}`, 'ada')).toBe(given?.device);
  expect(marks.read(cookie, 'grace')).toBeUndefined();
  expect(marksOf(2).read(cookie, 'ada')).toBeUndefined();
  expect(marks.read(undefined, 'ada')).toBeUndefined();
  now += LIFE_MS - 1;
  expect(marks.read(cookie, 'ada')).toBe(given?.device);
  now += 1;
  expect(marks.read(cookie, 'ada')).toBeUndefined();
});

test('no other text is a mark, however near', () => {
  const cookie = cookieOf(marks.mark(BROWSER, 'ada')?.setCookie);
  fc.assert(
    fc.property(fc.nat(cookie.length - 1), fc.constantFrom('A', 'b', '0', '_', '.', ';', '=', ''), (at, letter) => {
      const altered = cookie.slice(0, at) + letter + cookie.slice(at + 1);
      fc.pre(altered !== cookie);
      const read = marks.read(altered, 'ada');
      // The last letter of base64url holds bits that are no part of the bytes.
      if (at < cookie.length - 1) expect(read).toBeUndefined();
    }),
  );
});

test('a device keeps its name when its mark is dated anew; one that keeps no cookies gets none', () => {
  const first = marks.mark(BROWSER, 'ada');
  const cookie = cookieOf(first?.setCookie);
  expect(marks.mark({ ...BROWSER, cookie }, 'ada')).toEqual({ device: first?.device, setCookie: undefined });
  now += LIFE_MS / 5;
  const second = marks.mark({ cookie }, 'ada');
  expect(second?.device).toBe(first?.device);
  expect(marks.read(cookieOf(second?.setCookie), 'ada')).toBe(first?.device);
  expect(marks.mark({ ...BROWSER, cookie }, 'grace')?.device).not.toBe(first?.device);
  expect(marks.mark({}, 'ada')).toBeUndefined();
  expect(marksOf(1, 0).mark(BROWSER, 'ada')).toBeUndefined();
});
