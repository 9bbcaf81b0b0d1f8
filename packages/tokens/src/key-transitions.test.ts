import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { dueTransitions, type KeyRecord } from './key-transitions.ts';

const NOW = 1000;
const record = (changes: Partial<KeyRecord>): KeyRecord => ({
  kid: 'k',
  alg: 'ES256',
  state: 'next',
  ownerInstance: null,
  orphaned: false,
  signsAfter: 0,
  keepUntil: null,
  seq: 5n,
  ...changes,
});

describe('a published key', () => {
  test('signs once every live verifier acts on it', () => {
    expect(dueTransitions([record({})], NOW, 4n)).toEqual([]);
    expect(dueTransitions([record({})], NOW, 5n)).toEqual([{ kid: 'k', to: 'active' }]);
  });

  test('signs where no verifier lives', () => {
    expect(dueTransitions([record({})], NOW, undefined)).toEqual([{ kid: 'k', to: 'active' }]);
  });

  test('waits until published sets have aged out', () => {
    expect(dueTransitions([record({ signsAfter: NOW + 1 })], NOW, 5n)).toEqual([]);
    expect(dueTransitions([record({ signsAfter: NOW })], NOW, 5n)).toHaveLength(1);
  });

  test('takes over from the shared key, which retires first; own keys of processes go on', () => {
    const records = [
      record({ kid: 'old', state: 'active' }),
      record({ kid: 'own', state: 'active', ownerInstance: 'i' }),
      record({ kid: 'new' }),
    ];
    expect(dueTransitions(records, NOW, 9n)).toEqual([
      { kid: 'old', to: 'retiring' },
      { kid: 'new', to: 'active' },
    ]);
  });

  test('of a process retires nobody', () => {
    const records = [record({ kid: 'old', state: 'active' }), record({ kid: 'own', ownerInstance: 'i' })];
    expect(dueTransitions(records, NOW, 9n)).toEqual([{ kid: 'own', to: 'active' }]);
  });
});

test('the key of a process that is gone retires if it ever signed, and goes if not', () => {
  expect(dueTransitions([record({ state: 'active', ownerInstance: 'i', orphaned: true })], NOW, 9n)).toEqual([
    { kid: 'k', to: 'retiring' },
  ]);
  expect(dueTransitions([record({ ownerInstance: 'i', orphaned: true })], NOW, 9n)).toEqual([{ kid: 'k', to: 'gone' }]);
});

test('a retiring key goes when no token of it can live', () => {
  expect(dueTransitions([record({ state: 'retiring', keepUntil: NOW + 1 })], NOW, 9n)).toEqual([]);
  expect(dueTransitions([record({ state: 'retiring', keepUntil: NOW })], NOW, 9n)).toEqual([{ kid: 'k', to: 'gone' }]);
});

test('states only go forward, one shared key signs at the most, and nothing signs before it is known', () => {
  const records = fc.uniqueArray(
    fc.record({
      kid: fc.string({ minLength: 1, maxLength: 3 }),
      state: fc.constantFrom('next' as const, 'active' as const, 'retiring' as const),
      owner: fc.constantFrom(null, 'a', 'b'),
      orphaned: fc.boolean(),
      signsAfter: fc.nat(2000),
      keepUntil: fc.nat(2000),
      seq: fc.bigInt(1n, 20n),
    }),
    { selector: ({ kid }) => kid, maxLength: 8 },
  );
  fc.assert(
    fc.property(records, fc.option(fc.bigInt(0n, 20n), { nil: undefined }), (drawn, acknowledged) => {
      // As the database keeps it: one shared key at the most signs, one at the most waits.
      const shared = new Set<string>();
      const given = drawn
        .filter(({ state, owner }) => owner !== null || state === 'retiring' || (!shared.has(state) && shared.add(state)))
        .map(({ owner, keepUntil, orphaned, ...rest }) =>
          record({
            ...rest,
            ownerInstance: owner,
            orphaned: owner !== null && orphaned,
            keepUntil: rest.state === 'retiring' ? keepUntil : null,
          }),
        );
      const states = new Map(given.map(({ kid, state }) => [kid, state as string]));
      const rank = ['next', 'active', 'retiring', 'gone'];
      for (const { kid, to } of dueTransitions(given, NOW, acknowledged)) {
        const before = given.find((entry) => entry.kid === kid);
        expect(rank.indexOf(to)).toBeGreaterThan(rank.indexOf(states.get(kid) ?? 'gone'));
        if (to === 'active') expect(acknowledged === undefined || (before?.seq ?? 99n) <= acknowledged).toBe(true);
        if (to === 'gone') expect(before?.state).not.toBe('active');
        states.set(kid, to);
        const signing = given.filter((entry) => entry.ownerInstance === null && states.get(entry.kid) === 'active');
        expect(signing.length).toBeLessThanOrEqual(1);
      }
    }),
  );
});
