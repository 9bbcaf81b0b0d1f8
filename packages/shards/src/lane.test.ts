import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Lane } from './lane.ts';

// The only timer is that of a small batch's patience: it runs when a test says so, however slow the machine is.
beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] }));
afterEach(() => void vi.useRealTimers());

/** A lane whose statements are answered by hand. */
function lane(
  maxInFlight = 2,
  maxSize = 200,
): { lane: Lane<number, string>; sent: { items: readonly number[]; answer: () => void; fail: () => void }[] } {
  const sent: { items: readonly number[]; answer: () => void; fail: () => void }[] = [];
  const run = (items: readonly number[]): Promise<readonly string[]> =>
    new Promise((resolve, reject) => {
      sent.push({ items, answer: () => resolve(items.map(String)), fail: () => reject(new Error('lost')) });
    });
  return { lane: new Lane({ run, maxSize, maxInFlight }), sent };
}

const turn = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve));

test('calls of one turn are one statement, and those answered join the next one', async () => {
  const { lane: calls, sent } = lane();
  const first = [1, 2, 3].map((n) => calls.add(n));
  await turn();
  expect(sent.map(({ items }) => items)).toEqual([[1, 2, 3]]);
  // Comes while the first is under way: a dozen rows are not worth a statement beside it.
  const second = calls.add(4);
  await turn();
  expect(sent).toHaveLength(1);
  const again = first.map(async (answer) => calls.add(Number(await answer) * 10));
  sent[0]?.answer();
  await expect.poll(() => sent.length).toBe(2);
  expect(sent[1]?.items).toEqual([4, 10, 20, 30]);
  sent[1]?.answer();
  expect(await Promise.all([second, ...again])).toEqual(['4', '10', '20', '30']);
});

test('a large batch goes beside the one under way, as often as is allowed', async () => {
  const { lane: calls, sent } = lane(2, 40);
  const answers = Array.from({ length: 120 }, (_, n) => calls.add(n));
  await turn();
  expect(sent.map(({ items }) => items.length)).toEqual([40, 40]);
  for (let at = 0; at < 3; at++) {
    sent[at]?.answer();
    await turn();
  }
  expect(await Promise.all(answers)).toEqual(answers.map((_, n) => String(n)));
});

test('a statement that hangs holds up nobody who comes later', async () => {
  const { lane: calls, sent } = lane();
  const hanging = calls.add(1);
  await turn();
  const later = calls.add(2);
  await turn();
  expect(sent).toHaveLength(1);
  vi.runAllTimers();
  expect(sent).toHaveLength(2);
  sent[1]?.answer();
  expect(await later).toBe('2');
  sent[0]?.fail();
  await expect(hanging).rejects.toThrow('lost');
  const after = calls.add(3);
  await expect.poll(() => sent.length).toBe(3);
  sent[2]?.answer();
  expect(await after).toBe('3');
});
