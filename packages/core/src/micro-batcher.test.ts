import { setImmediate as turn } from 'node:timers/promises';
import fc from 'fast-check';
import { expect, test } from 'vitest';
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
