import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startRedis } from '@wherry/embedded';
import { startCluster } from '../cluster.ts';
import { ratio } from '../ratios.ts';
import type { BenchResult } from '../report.ts';
import { alternate, middleOf, roundsOf, type Contender } from '../rounds.ts';
import { pairedRatio, type Round } from '../statistics.ts';
import { signInCookies } from './cookies.ts';
import { obtainWrk, runLoad, type LoadResult } from './load.ts';
import { SERVER_NAMES, startServer, type RunningServer, type ServerName } from './serving.ts';
import { issueTokens } from './tokens.ts';

const PATH = '/auth';
const USERS = 1000;
const CONNECTIONS = 64;
/** Longest pause of a connection at half load, ms; a connection then sends a request in 3 ms or a little more. */
const PAUSE_MS = 5;
const MEAN_MS = 3.3;
const ISSUER = 'https://auth.example';
const AUDIENCE = 'https://api.example';

/** The forward-auth check against a server that does nothing, and against what one would use instead. */
export async function benchGateway(quick: boolean): Promise<BenchResult> {
  obtainWrk();
  // Short rounds and many: the two sides of a pair then meet the same machine.
  const seconds = quick ? 1 : 3;
  const redis = await startRedis();
  await using cluster = await startCluster('target');
  const folder = mkdtempSync(join(tmpdir(), 'wherry-bench-'));
  const servers = new Map<ServerName, RunningServer>();
  try {
    const cookieSecret = randomBytes(32).toString('hex');
    const { tokens, publicKey } = await issueTokens(cluster, USERS, ISSUER, AUDIENCE);
    const cookies = await signInCookies(redis.url, USERS, cookieSecret);
    const files = { tokens: join(folder, 'tokens'), cookies: join(folder, 'cookies') };
    writeFileSync(files.tokens, tokens.map((token) => `Bearer ${token}\n`).join(''));
    writeFileSync(files.cookies, cookies.map((cookie) => `${cookie}\n`).join(''));
    const { controlUrl, shardUrls, masterKey } = cluster;
    const settings = { controlUrl, shardUrls, masterKey, issuer: ISSUER, audience: AUDIENCE, publicKey, redisUrl: redis.url, cookieSecret };
    for (const name of SERVER_NAMES) servers.set(name, await startServer(name, settings));

    const load = async (name: ServerName, connections: number, pauseMs: number): Promise<LoadResult> =>
      runLoad({
        url: servers.get(name)?.url ?? '',
        path: PATH,
        header: name === 'express-session' ? 'Cookie' : 'Authorization',
        valuesFile: name === 'express-session' ? files.cookies : files.tokens,
        connections,
        seconds,
        pauseMs,
      });
    const contender = (name: string, measure: () => Promise<Round>): Contender => ({ name, measure });
    const atFullLoad = (name: ServerName): Contender =>
      contender(name, async () => {
        const { perSecond, faults } = await load(name, CONNECTIONS, 0);
        return { value: perSecond, faults };
      });

    console.log('full load, against the bound');
    const bound = await alternate((['bare', 'wherry'] as const).map(atFullLoad), { rounds: quick ? 19 : 31, unit: '/s' });
    console.log('full load, against what one would use instead');
    const peers = await alternate((['wherry', 'express-jwt', 'express-session', 'fastify-jwt'] as const).map(atFullLoad), {
      rounds: quick ? 8 : 15,
      unit: '/s',
    });
    const half = middleOf(bound, 'bare') / 2;
    const connections = Math.max(2, Math.round((half * MEAN_MS) / 1000));
    const achieved: number[] = [];
    console.log(`half load: ${Math.round(half)}/s wished, ${connections} connections`);
    const latency = await alternate(
      (['bare', 'wherry'] as const).map((name) =>
        contender(name, async () => {
          const { p99, perSecond, faults } = await load(name, connections, PAUSE_MS);
          achieved.push(Math.round(perSecond));
          return { value: p99, faults };
        }),
      ),
      { rounds: quick ? 19 : 31, unit: ' ms' },
    );
    const against = (peer: ServerName): number => pairedRatio(roundsOf(peers, 'wherry'), roundsOf(peers, peer));
    return {
      settings: {
        users: USERS,
        connections: CONNECTIONS,
        seconds,
        halfLoad: Math.round(half),
        halfLoadConnections: connections,
        achieved: achieved.join(' '),
      },
      parts: [
        { name: 'full load, bound', unit: '/s', rounds: bound },
        { name: 'full load, peers', unit: '/s', rounds: peers },
        { name: 'p99 at half load', unit: ' ms', rounds: latency },
      ],
      ratios: [
        ratio('gateway-bare', pairedRatio(roundsOf(bound, 'wherry'), roundsOf(bound, 'bare'))),
        ratio('gateway-bare-p99', pairedRatio(roundsOf(latency, 'wherry'), roundsOf(latency, 'bare'))),
        ratio('gateway-express-jwt', against('express-jwt')),
        ratio('gateway-express-session', against('express-session')),
        ratio('gateway-fastify-jwt', against('fastify-jwt')),
      ],
    };
  } finally {
    for (const server of servers.values()) await server.stop();
    await redis.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}
