import { createHmac, randomBytes } from 'node:crypto';
import { pause } from '@wherry/core';
import { startRedis } from '@wherry/embedded';
import { changeMigration, createMigration, type Migration } from '@wherry/migration';
import { SessionRuntime, expressJsonDecoder } from '@wherry/sessions';
import { createRedisSource } from '@wherry/sessions/redis';
import { ShardSet } from '@wherry/shards';
import { createClient } from 'redis';
import { masterKeyOf, startCluster, type Cluster } from '../cluster.ts';
import { IDENTITY } from '../migration/legacy-sessions.ts';
import type { BenchResult } from '../report.ts';
import { startAsker, startGateway, type Seen } from './processes.ts';

const LIFE_S = 86_400;
const PORTION = 1000;
const PER_SECOND = 1000;

/** One stretch of a run. */
interface Stretch extends Seen {
  readonly name: 'before' | 'across' | 'after';
  /** Share of the questions for sessions that memory answered. */
  readonly hitRate: number;
  readonly warmed: number;
}

/**
 * What users notice while all slots change their side: latencies of checks by cookie at a gateway before, during and after
 * the switch, with hot sessions read ahead and without. No peer does this, so there is no ratio.
 */
export async function benchSwitch(quick: boolean): Promise<BenchResult> {
  const [sessions, restMs] = quick ? [20_000, 5000] : [200_000, 30_000];
  const found = new Map<string, readonly Stretch[]>();
  for (const warm of [false, true]) {
    const name = warm ? 'read ahead' : 'not read ahead';
    const stretches = await measure(sessions, restMs, warm);
    found.set(name, stretches);
    for (const { name: when, requests, faults, p50, p99, most, hitRate, warmed } of stretches)
      console.log(
        `${name}, ${when}: p50 ${ms(p50)}, p99 ${ms(p99)}, most ${ms(most)}; from memory ${(hitRate * 100).toFixed(1)} %, ` +
          `read ahead ${warmed}; ${requests} checks, ${faults} faults`,
      );
  }
  return {
    settings: { sessions, perSecond: PER_SECOND },
    parts: [...found].map(([name, stretches]) => ({
      name: `check by cookie, ${name}`,
      unit: ' ms',
      rounds: new Map(stretches.map(({ name: when, p99, faults }) => [when, [{ value: p99, faults }]])),
    })),
    ratios: [],
  };
}

async function measure(sessions: number, restMs: number, warm: boolean): Promise<Stretch[]> {
  const redis = await startRedis();
  await using cluster = await startCluster('source');
  const cookieSecret = randomBytes(32).toString('hex');
  const cookies = await signIn(redis.url, sessions, cookieSecret);
  await using migration = await startMigration(cluster, redis.url);
  const { control } = migration.context;
  await changeMigration(control, { goal: 'target', goalPercent: 0 }, { actor: 'bench' });
  await migration.migrator.atGoal();
  const { controlUrl, shardUrls, masterKey } = cluster;
  const gateway = await startGateway({ controlUrl, shardUrls, masterKey, redisUrl: redis.url, cookieSecret, warm });
  const asker = startAsker({ url: gateway.url, cookies, perSecond: PER_SECOND });
  try {
    await pause(restMs);
    await asker.seen();
    let memory = await memoryOf(gateway.url);
    const stretch = async (name: Stretch['name'], during: Promise<unknown>): Promise<Stretch> => {
      await during;
      const now = await memoryOf(gateway.url);
      const [hits, misses] = [now.hits - memory.hits, now.misses - memory.misses];
      const warmed = now.warmed - memory.warmed;
      memory = now;
      return { name, hitRate: hits / (hits + misses), warmed, ...(await asker.seen()) };
    };
    const before = await stretch('before', pause(restMs));
    await changeMigration(control, { goalPercent: 99 }, { actor: 'bench' });
    const across = await stretch('across', migration.migrator.atGoal());
    return [before, across, await stretch('after', pause(restMs))];
  } finally {
    asker.stop();
    await gateway.stop();
    await redis.stop();
  }
}

/** Signs users in as connect-redis has them, and answers the values of their Cookie headers. */
async function signIn(redisUrl: string, count: number, secret: string): Promise<string[]> {
  const client = createClient({ url: redisUrl });
  await client.connect();
  const cookies: string[] = [];
  try {
    for (let from = 0; from < count; from += PORTION) {
      const writes: Promise<unknown>[] = [];
      for (let user = from; user < Math.min(count, from + PORTION); user++) {
        const id = randomBytes(24).toString('base64url');
        const value = {
          cookie: { originalMaxAge: LIFE_S * 1000, path: '/' },
          user: { id: user, name: `user${user}`, roles: ['ROLE_USER'] },
        };
        writes.push(client.set(`sess:${id}`, JSON.stringify(value), { expiration: { type: 'EX', value: LIFE_S } }));
        const signature = createHmac('sha256', secret).update(id).digest('base64').replace(/=+$/, '');
        cookies.push(`connect.sid=${encodeURIComponent(`s:${id}.${signature}`)}`);
      }
      await Promise.all(writes);
    }
  } finally {
    await client.close();
  }
  return cookies;
}

async function startMigration(cluster: Cluster, redisUrl: string): Promise<Migration & AsyncDisposable> {
  const shards = new ShardSet({ shards: cluster.shardUrls.map((url, i) => ({ name: `shard${i}`, url })) });
  const runtime = new SessionRuntime({
    control: cluster.open(cluster.controlUrl),
    shards,
    masterKey: masterKeyOf(cluster),
    role: 'migrator',
  });
  await runtime.run();
  const source = createRedisSource({ url: redisUrl });
  const abort = new AbortController();
  const decode = expressJsonDecoder({ identity: IDENTITY });
  const migration = await createMigration({
    runtime,
    source,
    decode,
    writers: 'none',
    shadowMs: 500,
    signal: abort.signal,
  });
  await migration.migrator.run();
  return {
    ...migration,
    [Symbol.asyncDispose]: async () => {
      abort.abort();
      await migration.migrator.stop();
      await source.close();
      await runtime.drain();
      await runtime.stop();
      await shards.stop();
    },
  };
}

async function memoryOf(url: string): Promise<{ readonly hits: number; readonly misses: number; readonly warmed: number }> {
  const page = await (await fetch(`${url}/metrics`)).text();
  const figure = (name: string): number =>
    Number(
      page
        .split('\n')
        .find((line) => line.startsWith(`${name} `))
        ?.slice(name.length + 1) ?? 0,
    );
  return {
    hits: figure('wherry_gateway_memory_total{memory="session",result="hit"}'),
    misses: figure('wherry_gateway_memory_total{memory="session",result="miss"}'),
    warmed: figure('wherry_gateway_warmed_total'),
  };
}

function ms(value: number): string {
  return `${value.toFixed(2)} ms`;
}
