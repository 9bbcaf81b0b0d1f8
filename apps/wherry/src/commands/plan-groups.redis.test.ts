import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startRedisCluster, startRedisSentinels, type RedisCluster, type RedisSentinels } from '@wherry/embedded';
import { createCluster, createSentinel } from 'redis';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { run, type Run } from '../testing/recording-terminal.ts';

const SESSIONS = 12;
const IDLE_S = 1800;

type Write = (key: string, fields: Readonly<Record<string, string>>, lifeS: number) => Promise<unknown>;

let cluster: RedisCluster;
let group: RedisSentinels;
beforeAll(async () => {
  [cluster, group] = await Promise.all([startRedisCluster(), startRedisSentinels()]);
});
afterAll(() => Promise.all([cluster.stop(), group.stop()]));

/** Sessions as either repository of Spring Session keeps them. */
async function writeSessions(prefix: string, indexed: boolean, write: Write): Promise<void> {
  const now = String(Date.now());
  const fields = { creationTime: now, lastAccessedTime: now, maxInactiveInterval: String(IDLE_S), 'sessionAttr:cart': '"bread"' };
  for (let n = 0; n < SESSIONS; n++) await write(`${prefix}session-${n}`, fields, IDLE_S + (indexed ? 300 : 0));
}

async function inCluster(prefix: string, indexed: boolean): Promise<void> {
  const client = createCluster({ rootNodes: [{ url: `redis://127.0.0.1:${cluster.masters[0]?.port}` }] });
  await client.connect();
  onTestFinished(() => client.close());
  await writeSessions(prefix, indexed, async (key, fields, lifeS) => {
    await client.hSet(key, fields);
    await client.expire(key, lifeS);
  });
}

async function underSentinels(prefix: string, indexed: boolean): Promise<void> {
  const sentinelRootNodes = group.sentinels.map(({ port }) => ({ host: '127.0.0.1', port }));
  const client = await createSentinel({ name: 'sessions', sentinelRootNodes }).connect();
  onTestFinished(() => void client.close());
  await writeSessions(prefix, indexed, async (key, fields, lifeS) => {
    await client.hSet(key, fields);
    await client.expire(key, lifeS);
  });
}

async function planned(url: string, prefix: string, more = ''): Promise<Run> {
  const folder = await mkdtemp(join(tmpdir(), 'wherry-plan-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  return run(`migrate plan --source ${url} --prefix ${prefix} --out ${folder}${more}`);
}

describe('a plan of sessions of Spring', () => {
  const newPrefix = (): string => `${randomBytes(4).toString('hex')}:sessions:`;

  test('in a cluster, one hash for each', async () => {
    const prefix = newPrefix();
    await inCluster(prefix, false);
    const { code, out, err } = await planned(cluster.url, prefix);
    expect({ code, err }).toEqual({ code: 0, err: '' });
    expect(out).toMatch(/^format +spring-redis$/m);
    expect(out).toMatch(new RegExp(`^sessions +${SESSIONS}$`, 'm'));
  });

  test('in a cluster, indexed, is refused, by whichever way it is asked for', async () => {
    const prefix = newPrefix();
    await inCluster(prefix, true);
    for (const more of ['', ' --format spring-redis-indexed']) {
      const { code, out, err } = await planned(cluster.url, prefix, more);
      expect({ code, out }).toEqual({ code: 2, out: '' });
      expect(err).toContain('indexed sessions of Spring lie in keys of several slots');
    }
  });

  test.each([
    { indexed: false, format: 'spring-redis' },
    { indexed: true, format: 'spring-redis-indexed' },
  ])('under sentinels, $format', async ({ indexed, format }) => {
    const prefix = newPrefix();
    await underSentinels(prefix, indexed);
    const { code, out, err } = await planned(group.url, prefix);
    expect({ code, err }).toEqual({ code: 0, err: '' });
    expect(out).toMatch(new RegExp(`^format +${format}$`, 'm'));
  });
});
