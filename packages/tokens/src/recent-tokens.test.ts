import fc from 'fast-check';
import { expect, test } from 'vitest';
import { RecentTokens, type Remembered } from './recent-tokens.ts';

const remembered = (token: string): Remembered => ({ token, movedAt: 0 });

test('two tokens with one ending are two tokens', () => {
  const tail = 'x'.repeat(40);
  const recent = new RecentTokens<Remembered>(10);
  recent.add(remembered(`one.${tail}`));
  expect(recent.get(`two.${tail}`)).toBeUndefined();
  expect(recent.get(tail)).toBeUndefined();
  expect(recent.get(`one.${tail}`)?.token).toBe(`one.${tail}`);
  recent.delete(`two.${tail}`);
  expect(recent.get(`one.${tail}`)).toBeDefined();
});

test('is bounded, answers only for the token asked for, and keeps what is in use', () => {
  const token = fc.nat(60).map((n) => `${'t'.repeat(45)}${n}`);
  const command = fc.record({ act: fc.constantFrom('add', 'get', 'delete'), token });
  fc.assert(
    fc.property(fc.integer({ min: 2, max: 20 }), fc.array(command, { maxLength: 300 }), (capacity, commands) => {
      const recent = new RecentTokens<Remembered>(capacity);
      const added = new Set<string>();
      for (const { act, token } of commands) {
        if (act === 'add') {
          recent.add(remembered(token));
          added.add(token);
          expect(recent.get(token)?.token).toBe(token);
        } else if (act === 'delete') {
          recent.delete(token);
          added.delete(token);
          expect(recent.get(token)).toBeUndefined();
        } else {
          const found = recent.get(token);
          if (found !== undefined) expect(found.token === token && added.has(token)).toBe(true);
        }
        expect(recent.size).toBeLessThanOrEqual(capacity);
      }
    }),
  );
});

test('a token used between additions stays, one that is not goes', () => {
  const recent = new RecentTokens<Remembered>(10);
  recent.add(remembered('used'));
  recent.add(remembered('idle'));
  for (let i = 0; i < 100; i++) {
    recent.add(remembered(`other ${i}`));
    expect(recent.get('used')).toBeDefined();
  }
  expect(recent.get('idle')).toBeUndefined();
});

test('what was used within the last eighth of the capacity stays, however many come', () => {
  const recent = new RecentTokens<Remembered>(80);
  recent.add(remembered('used'));
  for (let i = 0; i < 1000; i++) {
    recent.add(remembered(`other ${i}`));
    if (i % 10 === 0) expect(recent.get('used')).toBeDefined();
  }
});
