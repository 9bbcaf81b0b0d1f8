import { setImmediate as turn } from 'node:timers/promises';
import fc from 'fast-check';
import { expect, onTestFinished, test, vi } from 'vitest';
import { MicroBatcher } from './micro-batcher.ts';

test('every item is answered once with its own result or its own batch failure, whatever the sizes and failures', async () => {
  const bursts = fc.array(fc.nat(40), { minLength: 1, maxLength: 8 });
  const behaviour = fc.infiniteStream(fc.record({ turns: fc.nat(3), fails: fc.integer({ min: 0, max: 9 }).map((n) => n < 2) }));
  await fc.assert(
    fc.asyncProperty(
      bursts,
      fc.integer({ min: 1, max: 12 }),
      fc.integer({ min: 1, max: 4 }),
      behaviour,
      async (sizes, maxSize, maxInFlight, acts) => {
        let inFlight = 0;
        const seen: number[] = [];
        const failed = new Set<number>();
        const batcher = new MicroBatcher<number, string>({
          maxSize,
          maxInFlight,
          run: async (items) => {
            expect(items.length).toBeGreaterThan(0);
            expect(items.length).toBeLessThanOrEqual(maxSize);
            expect(++inFlight).toBeLessThanOrEqual(maxInFlight);
            seen.push(...items);
            const { turns, fails } = acts.next().value;
            for (let i = 0; i < turns; i++) await turn();
            inFlight--;
            if (fails) {
              for (const item of items) failed.add(item);
              throw new Error(`failed ${items.join()}`);
            }
            return items.map((item) => `result ${item}`);
          },
        });
        let next = 0;
        const answers: Promise<void>[] = [];
        for (const size of sizes) {
          for (let i = 0; i < size; i++) {
            const item = next++;
            answers.push(
              batcher.add(item).then(
                (result) => {
                  expect(failed.has(item)).toBe(false);
                  expect(result).toBe(`result ${item}`);
                },
                (error: unknown) => {
                  expect(failed.has(item)).toBe(true);
                  expect(String(error)).toMatch(new RegExp(`\\b${item}\\b`));
                },
              ),
            );
          }
          await turn();
        }
        await batcher.drained();
        await Promise.all(answers);
        expect(inFlight).toBe(0);
        // Each item went out once, in the order in which it came.
        expect(seen).toEqual(Array.from({ length: next }, (_, i) => i));
      },
    ),
    { numRuns: 200 },
  );
});

test('calls of one turn go together; while all batches are under way, calls gather', async () => {
  const batches: number[][] = [];
  const gates: PromiseWithResolvers<void>[] = [];
  const batcher = new MicroBatcher<number, number>({
    maxSize: 100,
    maxInFlight: 1,
    run: async (items) => {
      batches.push(items);
      const gate = Promise.withResolvers<void>();
      gates.push(gate);
      await gate.promise;
      return items;
    },
  });
  const first = [batcher.add(1), batcher.add(2)];
  await turn();
  const second = [batcher.add(3)];
  await turn();
  second.push(batcher.add(4));
  await turn();
  expect(batches).toEqual([[1, 2]]);
  gates[0]!.resolve();
  expect(await Promise.all(first)).toEqual([1, 2]);
  await turn();
  expect(batches).toEqual([
    [1, 2],
    [3, 4],
  ]);
  gates[1]!.resolve();
  expect(await Promise.all(second)).toEqual([3, 4]);
});

test('a batch that answers too few results fails as a whole: no item gets its neighbour’s', async () => {
  const batcher = new MicroBatcher<number, number>({ maxSize: 10, maxInFlight: 1, run: (items) => Promise.resolve(items.slice(1)) });
  const answers = await Promise.allSettled([batcher.add(1), batcher.add(2)]);
  expect(answers.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
});

test('a run that throws at once fails its items only', async () => {
  let broken = true;
  const batcher = new MicroBatcher<number, number>({
    maxSize: 10,
    maxInFlight: 1,
    run: (items) => {
      if (broken) throw new Error('at once');
      return Promise.resolve(items);
    },
  });
  await expect(batcher.add(1)).rejects.toThrow('at once');
  broken = false;
  expect(await batcher.add(2)).toBe(2);
  await batcher.drained();
});

/** Batches of which one goes beside another only when it is worth it, answered by hand. */
function byHand(
  maxInFlight = 2,
  maxSize = 200,
): { batcher: MicroBatcher<number, string>; sent: { items: readonly number[]; answer: () => void; fail: () => void }[] } {
  const sent: { items: readonly number[]; answer: () => void; fail: () => void }[] = [];
  const run = (items: readonly number[]): Promise<readonly string[]> =>
    new Promise((resolve, reject) => {
      sent.push({ items, answer: () => resolve(items.map(String)), fail: () => reject(new Error('lost')) });
    });
  return { batcher: new MicroBatcher({ run, maxSize, maxInFlight, worthOneMore: 32 }), sent };
}

test('calls of one turn are one batch, and those answered join the next one', async () => {
  const { batcher: calls, sent } = byHand();
  const first = [1, 2, 3].map((n) => calls.add(n));
  await turn();
  expect(sent.map(({ items }) => items)).toEqual([[1, 2, 3]]);
  // Comes while the first is under way: a few are not worth a batch beside it.
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
  const { batcher: calls, sent } = byHand(2, 40);
  const answers = Array.from({ length: 120 }, (_, n) => calls.add(n));
  await turn();
  expect(sent.map(({ items }) => items.length)).toEqual([40, 40]);
  for (let at = 0; at < 3; at++) {
    sent[at]?.answer();
    await turn();
  }
  expect(await Promise.all(answers)).toEqual(answers.map((_, n) => String(n)));
});

test('a batch that hangs holds up nobody who comes later', async () => {
  // The only timer is that of a small batch's patience: it runs when the test says so, however slow the machine is.
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  onTestFinished(() => void vi.useRealTimers());
  const { batcher: calls, sent } = byHand();
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

test('a result may be a promise, which fails alone', async () => {
  const batcher = new MicroBatcher<number, number>({
    maxSize: 10,
    maxInFlight: 1,
    run: (items) => Promise.resolve(items.map((item) => (item === 2 ? Promise.reject(new Error('alone')) : item))),
  });
  const answers = await Promise.allSettled([1, 2, 3].map((item) => batcher.add(item)));
  expect(answers.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
});
