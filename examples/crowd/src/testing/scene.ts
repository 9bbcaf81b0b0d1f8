import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { vi } from 'vitest';
import { Client } from '../client.ts';
import { Crowd } from '../crowd.ts';
import { Ledger } from '../ledger.ts';
import { Meter } from '../meter.ts';
import { Random } from '../random.ts';
import { reportOf, type Report } from '../report.ts';
import { adoptSeeds } from '../seeds.ts';
import { Tally } from '../tally.ts';
import { Wallet } from '../wallet.ts';
import { firstSettings, noRenewals, type World } from '../world.ts';

/** Figures of a crowd to which nothing wrong was done. */
export const NO_FAULTS = {
  lost: 0,
  resurrected: 0,
  signedOut: 0,
  authoritiesChanged: 0,
  otherUser: 0,
  unavailable: 0,
  failed: 0,
  forged: 0,
  staleRenewals: 0,
  stateful: 0,
} as const;

/** A crowd needs seconds for what it has to do, and so minutes on a machine that is ten times slower. */
const LONG_PLAY_MS = 150_000;

/** A crowd that can be put to work, and all that it knows. */
export interface Scene extends AsyncDisposable {
  readonly world: World;
  readonly crowd: Crowd;
  readonly meter: Meter;
  readonly ledgerFile: string;
  /** Lets the crowd work until `enough` holds. */
  work(enough: () => boolean): Promise<void>;
  /** The same, then probes everything. */
  play(enough: () => boolean, present?: (ids: readonly string[]) => Promise<ReadonlySet<string>>): Promise<Report>;
}

/** Options of {@link openScene}. */
export interface SceneOptions {
  readonly appUrl: string;
  readonly gatewayUrl: string;
  readonly folder: string;
  /** Number of the first of its users. */
  readonly from: number;
  readonly seed: number;
  /** For how long clients repeat what nobody answers; default as {@link Client} has it. */
  readonly retryMs?: number;
}

/** 30 users, of whom 20 are signed in already, and 40 more sessions that nobody uses. */
export async function openScene({ appUrl, gatewayUrl, folder, from, seed, retryMs }: SceneOptions): Promise<Scene> {
  const seeds = join(folder, `seeds-${from}`);
  const answer = await fetch(`${appUrl}/seed`, {
    method: 'POST',
    body: JSON.stringify({ from, count: 60 }),
    headers: { 'content-type': 'application/json' },
  });
  await writeFile(seeds, await answer.text());
  const ledgerFile = join(folder, `ledger-${from}`);
  const meter = new Meter();
  const world: World = {
    client: new Client({ meter, ...(retryMs === undefined ? {} : { retryMs }) }),
    ledger: new Ledger(ledgerFile),
    wallet: new Wallet(new Random(seed)),
    tally: new Tally(),
    settings: firstSettings({ cookieName: 'connect.sid', thinkMs: 15, replayAfterMs: 0 }),
    renewals: noRenewals(),
    told: new Set(),
    onOffence: () => undefined,
  };
  world.client.direct([gatewayUrl], gatewayUrl);
  const adopted = await adoptSeeds(world, seeds);
  const crowd = new Crowd({ world, seed, users: 30, adopted: adopted.slice(0, 20), firstUser: from + 60 });
  const work = async (enough: () => boolean): Promise<void> => {
    crowd.start();
    await vi.waitUntil(enough, { timeout: LONG_PLAY_MS, interval: 20 });
  };
  return {
    world,
    crowd,
    meter,
    ledgerFile,
    work,
    play: async (enough, present) => {
      await work(enough);
      const probed = await crowd.probeAll(present === undefined ? {} : { present });
      await crowd.rest();
      return reportOf(world, probed);
    },
    [Symbol.asyncDispose]: async () => {
      await crowd.rest();
      await world.client.close();
      await world.ledger.close();
    },
  };
}
