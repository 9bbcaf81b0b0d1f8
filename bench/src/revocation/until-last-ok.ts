import { pause } from '@wherry/core';
import { openWay } from '@wherry/embedded/testing';
import type { ClusterAddress } from '../cluster.ts';
import type { Round } from '../statistics.ts';
import { startGateway, type GatewaySettings } from './gateways.ts';
import { hammer, type Hammer } from './hammer.ts';
import type { LogOuts } from './log-out.ts';

/** How long all are asked on after all have refused: a 200 in that time counts. */
const AFTER_MS = 20;
const LONGEST_MS = 10_000;
const CUT_OFF = new Set([200, 401, 503]);

/** Milliseconds from the moment in which a log-out is asked for to the last 200 of any gateway, and whether its answer came after that. */
export interface LogOutRound extends Round {
  /** Milliseconds until the log-out was answered. */
  readonly answeredMs: number;
}

/** Logs one token out while every gateway is asked about it. A round is at fault that loses a request, or is never refused. */
export async function untilLastOk(urls: readonly string[], token: string, logOuts: LogOuts): Promise<LogOutRound> {
  const hammers = urls.map((url) => hammer(url, token));
  try {
    await letIn(hammers);
    const asked = performance.now();
    const propagated = await logOuts.logOut(token);
    const answeredMs = performance.now() - asked;
    const refused = await until(() => hammers.every(({ lastOk, lastRefused }) => lastRefused > lastOk));
    await pause(AFTER_MS);
    const faults = hammers.reduce((sum, each) => sum + each.faults, 0) + Number(!refused) + Number(!propagated);
    return { value: Math.max(...hammers.map(({ lastOk }) => lastOk)) - asked, faults, answeredMs };
  } finally {
    await Promise.all(hammers.map((each) => each.stop()));
  }
}

/** The same for one gateway that is cut off from the control database just before: until it stops answering from memory. */
export async function cutOffUntilLastOk(
  cluster: ClusterAddress,
  settings: GatewaySettings,
  tokens: readonly string[],
  logOuts: LogOuts,
): Promise<Round[]> {
  const { controlUrl, shardUrls, masterKey } = cluster;
  await using way = await openWay(controlUrl);
  const gateway = await startGateway({ ...settings, controlUrl: way.url, shardUrls, masterKey });
  const rounds: Round[] = [];
  try {
    for (const token of tokens) {
      await logOuts.allFollow();
      const asking = hammer(gateway.url, token, CUT_OFF);
      await letIn([asking]);
      way.sever();
      const cut = performance.now();
      await logOuts.logOut(token);
      const refused = await until(() => asking.lastRefused > asking.lastOk);
      await pause(AFTER_MS);
      const value = asking.lastOk - cut;
      await asking.stop();
      rounds.push({ value, faults: asking.faults + Number(!refused) });
      way.mend();
    }
  } finally {
    await gateway.stop();
  }
  return rounds;
}

/** Waits until all have let the token in. Where one does not, there is nothing to measure. */
async function letIn(hammers: readonly Hammer[]): Promise<void> {
  if (await until(() => hammers.every(({ lastOk }) => Number.isFinite(lastOk)))) return;
  throw new Error(
    `a gateway does not let a token in that is good; the last answers: ${hammers.map(({ lastStatus }) => lastStatus).join(' ')}`,
  );
}

/** False: it did not come true in time. */
async function until(condition: () => boolean): Promise<boolean> {
  const end = performance.now() + LONGEST_MS;
  while (!condition()) {
    if (performance.now() > end) return false;
    await pause(1);
  }
  return true;
}
