import { pause } from '@wherry/core';
import { Instance } from '@wherry/core/control';
import { PATIENT_MS } from '@wherry/embedded/testing';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { startCluster, type Cluster } from './testing/cluster.ts';
import { abortClosing, beginClosing, commitSide, initialiseSlotMap, readSlotMap } from './slot-map-changes.ts';
import { SlotMap } from './slot-map.ts';
import { SLOT_COUNT } from './slot.ts';

/** Of a closing that no test lets run out. */
const LONG_MS = 3_600_000;

let cluster: Cluster;
beforeAll(async () => {
  cluster = await startCluster(inject('postgresUrl'), { shardCount: 3 });
});
afterAll(async () => cluster[Symbol.asyncDispose]());

test('slots are spread evenly, and spreading them again changes nothing', async () => {
  const counts = cluster.map.counts();
  expect(counts.reduce((sum, { source }) => sum + source, 0)).toBe(SLOT_COUNT);
  for (const { source, target, closing } of counts) {
    expect(Math.abs(source - SLOT_COUNT / 3)).toBeLessThanOrEqual(1);
    expect([target, closing]).toEqual([0, 0]);
  }
  expect(await initialiseSlotMap(cluster.control, 5, 'target')).toBe(false);
  expect(cluster.map.counts()).toEqual(counts);
});

test('a slot that is closing is entered when it opens, under its new epoch and side', async () => {
  const { control, map } = cluster;
  const closing = await beginClosing(control, [10, 11], [1, 1], LONG_MS);
  await map.refresh();
  expect(map.version).toBe(closing.seq);
  expect(map.tryEnter(10)).toBeUndefined();
  const waiting = map.enter(10, { timeoutMs: PATIENT_MS });
  await commitSide(control, closing, { side: 'target' });
  await map.refresh();
  using passage = await waiting;
  expect(passage).toMatchObject({ slot: 10, epoch: 2, side: 'target' });
  expect(map.entry(11)).toMatchObject({ epoch: 2, side: 'target', state: 'open' });
});

test('a version is acted on when the writes that entered before it have left, and only those', async () => {
  const { control, map } = cluster;
  const before = await map.enter(20);
  const elsewhere = await map.enter(21);
  const closing = await beginClosing(control, [20], [1], LONG_MS);
  await map.refresh();
  let acted = false;
  const acting = map.acting(closing.seq).then(() => (acted = true));
  await abortClosing(control, closing);
  await map.refresh();
  const after = await map.enter(20);
  await pause(5);
  expect(acted).toBe(false);
  before.leave();
  before.leave();
  await acting;
  after.leave();
  elsewhere.leave();
});

test('a commit meets its own closing only', async () => {
  const { control } = cluster;
  const first = await beginClosing(control, [30, 31], [1, 1], LONG_MS);
  await expect(beginClosing(control, [31, 32], [1, 1], LONG_MS)).rejects.toMatchObject({ code: 'conflict' });
  expect(await abortClosing(control, first)).toBeDefined();
  const second = await beginClosing(control, [30, 31], [1, 1], LONG_MS);
  await expect(commitSide(control, first, { side: 'target' })).rejects.toMatchObject({ code: 'conflict' });
  expect(await abortClosing(control, first)).toBeUndefined();
  await commitSide(control, second, { side: 'target' });
  const entries = await readSlotMap(control, [30, 31, 32]);
  expect(entries.map(({ epoch, side, state }) => `${epoch} ${side} ${state}`)).toEqual(['2 target open', '2 target open', '1 source open']);
});

test('a closing whose deadline has passed is ended by a writer, for all its slots', async () => {
  const { control, map } = cluster;
  const closing = await beginClosing(control, [40, 41], [1, 1], 30);
  await map.refresh();
  using passage = await map.enter(40, { timeoutMs: PATIENT_MS });
  expect(passage.epoch).toBe(1);
  expect(map.entry(41).state).toBe('open');
  await expect(commitSide(control, closing, { side: 'target' })).rejects.toMatchObject({ code: 'conflict' });
});

test('entering gives up at its deadline and on abort', async () => {
  const { control, map } = cluster;
  const closing = await beginClosing(control, [50], [1], LONG_MS);
  await map.refresh();
  await expect(map.enter(50, { timeoutMs: 20 })).rejects.toMatchObject({ code: 'slot_not_owned', status: 503 });
  await expect(map.enter(50, { signal: AbortSignal.abort() })).rejects.toMatchObject({ code: 'slot_not_owned' });
  await abortClosing(control, closing);
});

test('a map that was never loaded loads itself at the first entrance', async () => {
  const map = new SlotMap({ control: cluster.control });
  expect(() => map.entry(1)).toThrow(/no owner/);
  using passage = await map.enter(1);
  expect(passage.epoch).toBe(1);
});

test('changes are told once, with their slots', async () => {
  const { control, map } = cluster;
  await map.refresh();
  const told: number[][] = [];
  const stop = map.onChange((slots) => told.push([...slots]));
  const closing = await beginClosing(control, [60, 61], [1, 1], LONG_MS);
  await map.refresh();
  await map.refresh();
  stop();
  await abortClosing(control, closing);
  await map.refresh();
  expect(told.map((slots) => slots.toSorted((a, b) => a - b))).toEqual([[60, 61]]);
});

test('a closing is acknowledged over all instances when the last write in it has left', async () => {
  const { control } = cluster;
  const maps = [new SlotMap({ control }), new SlotMap({ control })];
  const instances = maps.map((map) => new Instance({ database: control, role: 'test', topics: [map], leaseMs: LONG_MS }));
  try {
    await Promise.all(instances.map(async (instance) => instance.run()));
    const [busy, idle] = instances;
    const passage = await maps[0]?.enter(70);
    const closing = await beginClosing(control, [70], [1], LONG_MS);
    while (maps.some((map) => map.entry(70).state === 'open')) await pause(1);
    expect(await busy?.acknowledged('slot-map', closing.seq, 50)).toBe(false);
    passage?.leave();
    expect(await idle?.acknowledged('slot-map', closing.seq, PATIENT_MS)).toBe(true);
    const waiting = maps.map(async (map) => map.enter(70, { timeoutMs: PATIENT_MS }));
    await commitSide(control, closing, { side: 'target' });
    for (const each of await Promise.all(waiting)) {
      expect(each).toMatchObject({ epoch: 2, side: 'target' });
      each.leave();
    }
  } finally {
    await Promise.all(instances.map(async (instance) => instance.stop()));
  }
});
