import { startRedisCluster, type RedisCluster, type RedisNode } from '@wherry/embedded';
import { PATIENT_MS } from '@wherry/embedded/testing';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { SourcePartition, SourceStore } from '../source/contract.ts';
import { HOUR, newRawId, present, read, sessionValue } from '../testing/source-fixture.ts';
import { clusterSlot } from './cluster-slot.ts';
import { companionKey } from './companion-key.ts';
import { createRedisSource } from './source.ts';

let cluster: RedisCluster;
let source: SourceStore;
beforeAll(async () => {
  cluster = await startRedisCluster({ replicas: 1 });
  source = createRedisSource({ url: cluster.url, timeoutMs: PATIENT_MS });
});
afterAll(async () => {
  await source.close();
  await cluster.stop();
});

const nodeId = (node: RedisNode): Promise<string> => node.command('CLUSTER', 'MYID');
const slotOf = (rawId: string): string => String(clusterSlot(`sess:${rawId}`));

/** The steps by which redis-cli moves a slot, so that a test can stand between them. */
async function openSlot(slot: string, from: RedisNode, to: RedisNode): Promise<void> {
  await to.command('CLUSTER', 'SETSLOT', slot, 'IMPORTING', await nodeId(from));
  await from.command('CLUSTER', 'SETSLOT', slot, 'MIGRATING', await nodeId(to));
}

async function moveKey(key: string, from: RedisNode, to: RedisNode): Promise<string> {
  return from.command('MIGRATE', '127.0.0.1', String(to.port), key, '0', '10000');
}

async function closeSlot(slot: string, to: RedisNode): Promise<void> {
  const id = await nodeId(to);
  for (const node of [to, ...cluster.masters.filter((other) => other !== to)]) await node.command('CLUSTER', 'SETSLOT', slot, 'NODE', id);
}

/** Moves everything of a session's slot. */
async function moveSession(rawId: string, from: RedisNode, to: RedisNode): Promise<void> {
  await openSlot(slotOf(rawId), from, to);
  for (const key of [`sess:${rawId}`, companionKey(`sess:${rawId}`)]) await moveKey(key, from, to);
  await closeSlot(slotOf(rawId), to);
}

/** A session in a slot of `node`. */
async function sessionAt(node: RedisNode): Promise<string> {
  const own = (await node.command('CLUSTER', 'NODES')).split('\n').find((line) => line.includes('myself')) ?? '';
  const ranges = own
    .split(' ')
    .slice(8)
    .map((text) => text.split('-').map(Number));
  for (;;) {
    const rawId = newRawId();
    const slot = Number(slotOf(rawId));
    if (!ranges.some(([from = 0, to = from]) => slot >= from && slot <= to)) continue;
    await source.save(rawId, sessionValue(rawId), HOUR, 0);
    return rawId;
  }
}

async function partitionOf(node: RedisNode): Promise<SourcePartition> {
  const id = await nodeId(node);
  return present((await source.partitions()).find((partition) => partition.id === id));
}

/** As copy and verification do: parts that are done stay done while their incarnation stands; a lost cursor begins anew with the parts of now. */
async function scanAll(disturb: (done: number) => Promise<void>): Promise<Set<string>> {
  const seen = new Set<string>();
  const done = new Set<string>();
  for (;;) {
    try {
      for (const partition of await source.partitions()) {
        if (done.has(partition.incarnation)) continue;
        for (let cursor: string | null = null; ;) {
          const page = await source.scan(partition, cursor, 20);
          for (const { rawId } of page.sessions) seen.add(rawId);
          if ((cursor = page.next) === null) break;
        }
        done.add(partition.incarnation);
        await disturb(done.size);
      }
      return seen;
    } catch (error) {
      expect(error).toMatchObject({ code: 'source_cursor_lost' });
    }
  }
}

describe('slots of a cluster that move', () => {
  test('a session that goes to a node whose scan is over, before the scan of its own, is seen', async () => {
    const [left, right] = (await source.partitions()).map(({ id }) => id);
    const byId = new Map(await Promise.all(cluster.masters.map(async (node) => [await nodeId(node), node] as const)));
    const [first, second] = [present(byId.get(left ?? '')), present(byId.get(right ?? ''))];
    const moved = await sessionAt(second);
    const others = await Promise.all(Array.from({ length: 100 }, () => sessionAt(second)));
    const seen = await scanAll(async (done) => {
      if (done === 1) await moveSession(moved, second, first);
    });
    expect([moved, ...others].filter((rawId) => !seen.has(rawId))).toEqual([]);
    await moveSession(moved, first, second);
  });

  test('while a slot is on its way no scan begins or goes on', async () => {
    const [from, to] = [present(cluster.masters[0]), present(cluster.masters[1])];
    const rawId = await sessionAt(from);
    const [before, target] = [await partitionOf(from), await partitionOf(to)];
    await openSlot(slotOf(rawId), from, to);
    await expect(source.partitions()).rejects.toMatchObject({ code: 'source_unavailable' });
    await expect(source.scan(before, null, 10)).rejects.toMatchObject({ code: 'source_cursor_lost' });
    await expect(source.scan(target, null, 10)).rejects.toMatchObject({ code: 'source_cursor_lost' });
    await from.command('CLUSTER', 'SETSLOT', slotOf(rawId), 'STABLE');
    await to.command('CLUSTER', 'SETSLOT', slotOf(rawId), 'STABLE');
    expect(await partitionOf(from)).toEqual(before);
  });

  test('a session whose version has gone and whose value has not yet is waited for, not taken for one without a version', async () => {
    const [from, to] = [present(cluster.masters[0]), present(cluster.masters[2])];
    const rawId = await sessionAt(from);
    await openSlot(slotOf(rawId), from, to);
    await moveKey(companionKey(`sess:${rawId}`), from, to);
    let answered = false;
    const saving = source.save(rawId, sessionValue('changed'), HOUR, 0).finally(() => (answered = true));
    const reading = read(source, rawId);
    await expect.poll(() => from.command('INFO', 'errorstats')).toContain('TRYAGAIN');
    expect(answered).toBe(false);
    await moveKey(`sess:${rawId}`, from, to);
    await closeSlot(slotOf(rawId), to);
    expect(await saving).toMatchObject({ outcome: 'applied', version: { n: 2 } });
    expect(await reading).toMatchObject({ rawId });
  });

  test('a replica that takes over is another life, and is not spoken to before it is accepted', async () => {
    const [master, replica] = [present(cluster.masters[0]), present(cluster.replicas[0])];
    const [rawId, elsewhere] = [await sessionAt(master), await sessionAt(present(cluster.masters[1]))];
    const before = await partitionOf(master);
    const lives = await source.lives?.current();
    source.lives?.accept(present(lives));
    await replica.command('CLUSTER', 'FAILOVER', 'TAKEOVER');
    await expect.poll(() => source.get([rawId]).catch((error: unknown) => error)).toMatchObject({ data: { reason: 'changed' } });
    await expect(source.save(rawId, sessionValue('lost'), HOUR, 0)).rejects.toMatchObject({ code: 'source_unavailable' });
    expect(await read(source, elsewhere)).toMatchObject({ rawId: elsewhere });
    await expect.poll(() => source.lives?.current().catch(() => lives)).not.toEqual(lives);
    await expect(source.scan(before, null, 10)).rejects.toMatchObject({ code: 'source_cursor_lost' });
    source.lives?.accept(present(await source.lives.current()));
    expect(await source.save(rawId, sessionValue('kept'), HOUR, 1)).toMatchObject({ outcome: 'applied' });
  });
});
