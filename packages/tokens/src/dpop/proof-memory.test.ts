import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ProofMemory } from './proof-memory.ts';

describe('a proof', () => {
  test('is new once', () => {
    const memory = new ProofMemory();
    expect([memory.take('a', 100, 40), memory.take('a', 100, 40), memory.take('b', 100, 40)]).toEqual(['first', 'repeated', 'first']);
  });

  test('stays used when the clock goes an hour ahead and comes back', () => {
    const memory = new ProofMemory();
    memory.take('a', 100, 40);
    expect(memory.take('later', 3700, 3640)).toBe('first');
    expect(memory.take('a', 100, 41)).toBe('forgotten');
    expect(memory.take('new', 101, 41)).toBe('first');
  });

  test('stays used when there is no room: the time in which proofs are taken grows shorter', () => {
    const memory = new ProofMemory({ capacity: 3 });
    for (const [id, second] of [
      ['a', 100],
      ['b', 101],
      ['c', 102],
    ] as const)
      expect(memory.take(id, second, 40)).toBe('first');
    expect(memory.take('d', 103, 40)).toBe('first');
    expect(memory.take('a', 100, 40)).toBe('forgotten');
    expect(memory.take('e', 99, 40)).toBe('forgotten');
    expect(memory.take('b', 101, 40)).toBe('repeated');
    expect(memory.size).toBe(3);
  });
});

test('no proof is new twice, whatever comes, whenever, in whatever room; and the room is kept', () => {
  const step = fc.record({
    id: fc.nat(30),
    madeAt: fc.integer({ min: -40, max: 40 }),
    clock: fc.constantFrom(-3600, -7, 0, 0, 1, 1, 30, 3600),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 150 }), fc.integer({ min: 1, max: 12 }), (steps, capacity) => {
      const memory = new ProofMemory({ capacity });
      const used = new Set<string>();
      let now = 1_000_000;
      for (const { id, madeAt, clock } of steps) {
        now += clock;
        const second = now + madeAt;
        const name = `${id}@${second}`;
        if (madeAt < -30) continue;
        const use = memory.take(name, second, now - 30);
        if (use === 'first') expect(used.has(name)).toBe(false);
        if (use === 'repeated') expect(used.has(name)).toBe(true);
        if (use === 'first') used.add(name);
        expect(memory.size).toBeLessThanOrEqual(capacity);
      }
    }),
  );
});
