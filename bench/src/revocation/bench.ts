import { startRedis } from '@wherry/embedded';
import { startCluster, type Cluster } from '../cluster.ts';
import { issueTokens } from '../gateway/tokens.ts';
import { ratio } from '../ratios.ts';
import type { BenchResult } from '../report.ts';
import { median, percentile, type Round } from '../statistics.ts';
import { startGateway, type GatewaySettings, type RunningGateway } from './gateways.ts';
import { startLogOuts } from './log-out.ts';
import { measureMemory, type MemoryFigures } from './memory.ts';
import { cutOffUntilLastOk, untilLastOk, type LogOutRound } from './until-last-ok.ts';

const GATEWAYS = 3;
const WARM_UP = 20;
const ISSUER = 'https://auth.example';
const AUDIENCE = 'https://api.example';

/** How long after a log-out some gateway still lets the token in: over the control database, with a Redis stream beside, and cut off. */
export async function benchRevocation(quick: boolean): Promise<BenchResult> {
  const [many, few] = quick ? [300, 3] : [2000, 20];
  const redis = await startRedis();
  await using cluster = await startCluster('target');
  try {
    const { tokens } = await issueTokens(cluster, 2 * (many + WARM_UP) + few, ISSUER, AUDIENCE);
    const settings: GatewaySettings = { ...addressOf(cluster), issuer: ISSUER, audience: AUDIENCE };
    const left = [...tokens];
    const polled = await together(cluster, settings, left.splice(0, many + WARM_UP));
    tellAll('over the control database', polled);
    const streamed = await together(cluster, { ...settings, streamUrl: redis.url }, left.splice(0, many + WARM_UP));
    tellAll('with a Redis stream', streamed);
    const cutOff = await whileCutOff(cluster, settings, left);
    console.log(`cut off: the last 200 after ${ms(Math.max(...cutOff.map(({ value }) => value)))} at the most, ${faultsOf(cutOff)} faults`);
    const memory = await measureMemory(cluster, quick ? 200_000 : 1_000_000);
    tellMemory(memory);
    return {
      settings: { gateways: GATEWAYS, logOuts: many, cutOffs: few, ...memory },
      parts: [
        {
          name: 'log-out asked for to last 200',
          unit: ' ms',
          rounds: new Map([
            ['control database', polled],
            ['Redis stream', streamed],
          ]),
        },
        { name: 'cut off to last 200', unit: ' ms', rounds: new Map([['gateway', cutOff]]) },
      ],
      ratios: [
        ratio('revocation-last-200', p99(polled)),
        ratio('revocation-last-200-stream', p99(streamed)),
        ratio('revocation-cut-off', faultsOf(cutOff) > 0 ? Number.NaN : Math.max(...cutOff.map(({ value }) => value))),
      ],
    };
  } finally {
    await redis.stop();
  }
}

/** Logs tokens out one by one while three gateways are asked about each; the first ones warm everything up. */
async function together(cluster: Cluster, settings: GatewaySettings, tokens: readonly string[]): Promise<LogOutRound[]> {
  const gateways: RunningGateway[] = [];
  await using logOuts = await startLogOuts(cluster, settings.streamUrl);
  try {
    for (let n = 0; n < GATEWAYS; n++) gateways.push(await startGateway(settings));
    const urls = gateways.map(({ url }) => url);
    const rounds: LogOutRound[] = [];
    for (const token of tokens) rounds.push(await untilLastOk(urls, token, logOuts));
    return rounds.slice(WARM_UP);
  } finally {
    for (const gateway of gateways) await gateway.stop();
  }
}

async function whileCutOff(cluster: Cluster, settings: GatewaySettings, tokens: readonly string[]): Promise<Round[]> {
  await using logOuts = await startLogOuts(cluster, undefined);
  return await cutOffUntilLastOk(cluster, settings, tokens, logOuts);
}

function addressOf({ controlUrl, shardUrls, masterKey }: Cluster): Pick<GatewaySettings, 'controlUrl' | 'shardUrls' | 'masterKey'> {
  return { controlUrl, shardUrls, masterKey };
}

/** A request that was lost makes the figure worthless: nobody knows what it would have been answered. */
function p99(rounds: readonly Round[]): number {
  return faultsOf(rounds) > 0 ? Number.NaN : percentile(valuesOf(rounds), 0.99);
}

function faultsOf(rounds: readonly Round[]): number {
  return rounds.reduce((sum, { faults }) => sum + faults, 0);
}

function valuesOf(rounds: readonly Round[]): number[] {
  return rounds.map(({ value }) => value);
}

function tellAll(how: string, rounds: readonly LogOutRound[]): void {
  const values = valuesOf(rounds);
  const answered = median(rounds.map(({ answeredMs }) => answeredMs));
  const late = rounds.filter(({ value, answeredMs }) => value > answeredMs).length;
  console.log(
    `${how}: last 200 after p50 ${ms(median(values))}, p99 ${ms(percentile(values, 0.99))}, most ${ms(Math.max(...values))}; ` +
      `answered after p50 ${ms(answered)}, ${late} of ${rounds.length} seen after their answer; ${faultsOf(rounds)} faults`,
  );
}

function tellMemory(figures: MemoryFigures): void {
  const { sessions, loadMs, longestHoldMs, bytesOfTables, heapBytes, rssBytes, hitNs, missNs } = figures;
  const mib = (bytes: number): string => `${(bytes / 2 ** 20).toFixed(1)} MiB`;
  console.log(
    `memory: ${sessions} sessions in ${mib(bytesOfTables)} of tables, heap ${mib(heapBytes)}, resident ${mib(rssBytes)}; ` +
      `loaded in ${(loadMs / 1000).toFixed(2)} s, busy for ${ms(longestHoldMs)} at a time at the most; ` +
      `look-up ${Math.round(hitNs)} ns ended, ${Math.round(missNs)} ns not`,
  );
}

function ms(value: number): string {
  return `${value.toFixed(1)} ms`;
}
