import { randomBytes } from 'node:crypto';
import { applySchema } from '@wherry/core/control';
import { TokenFamilies, tokenFamilySchema } from '@wherry/renewal';
import { ShardSet, SlotMap } from '@wherry/shards';
import { startCluster } from '../cluster.ts';
import { ratio } from '../ratios.ts';
import type { BenchResult } from '../report.ts';
import { alternate, roundsOf } from '../rounds.ts';
import { drive } from '../sessions/drive.ts';
import { pairedRatio } from '../statistics.ts';
import { RotatingTokens, type PeerToken } from './peer.ts';

const IN_FLIGHT = 64;
const DAY_MS = 86_400_000;
const WINDOW_MS = 600_000;

/** Renewals one after the other in many families: ours in one step over a sealed successor, theirs by a row a token. */
export async function benchRenewal(quick: boolean): Promise<BenchResult> {
  const perWorker = quick ? 100 : 400;
  const seconds = quick ? 1 : 3;
  const rounds = quick ? 7 : 15;
  await using cluster = await startCluster('target');
  for (const url of cluster.shardUrls) await applySchema(cluster.open(url), [tokenFamilySchema]);
  const map = new SlotMap({ control: cluster.open(cluster.controlUrl) });
  await map.refresh();
  const shards = new ShardSet({ shards: cluster.shardUrls.map((url, i) => ({ name: `shard${i}`, url })) });
  const families = new TokenFamilies({ shards, map, windowMs: WINDOW_MS });
  const peer = new RotatingTokens(cluster.shardUrls);
  try {
    await peer.createTables();
    console.log(`beginning ${(perWorker * IN_FLIGHT).toLocaleString('en')} families on either side`);
    const ours: string[][] = [];
    const theirs: PeerToken[][] = [];
    for (let worker = 0; worker < IN_FLIGHT; worker++) {
      const begun = await Promise.all(Array.from({ length: perWorker }, async () => families.begin(beginning())));
      ours.push(begun.map(({ credential }) => credential));
      theirs.push(await Promise.all(begun.map(async ({ slot, id }) => peer.begin(id, slot, map))));
    }
    const renewals = await alternate(
      [
        {
          name: 'wherry',
          measure: () =>
            drive({
              inFlight: IN_FLIGHT,
              seconds,
              call: async (worker) =>
                inTurn(ours[worker] ?? [], async (credential) => {
                  const renewal = await families.renew({ credential, minimumGeneration: 0 });
                  if (renewal.outcome !== 'renewed' || renewal.repeated) throw new Error(`not renewed but ${renewal.outcome}`);
                  return renewal.successor;
                }),
            }),
        },
        {
          name: 'rows',
          measure: () =>
            drive({
              inFlight: IN_FLIGHT,
              seconds,
              call: async (worker) => inTurn(theirs[worker] ?? [], async (token) => peer.rotate(token)),
            }),
        },
      ],
      { rounds, unit: '/s' },
    );
    return {
      settings: { families: perWorker * IN_FLIGHT, inFlight: IN_FLIGHT, seconds },
      parts: [{ name: 'renewals', unit: '/s', rounds: renewals }],
      ratios: [ratio('renewal-rotate', pairedRatio(roundsOf(renewals, 'wherry'), roundsOf(renewals, 'rows')))],
    };
  } finally {
    await shards.stop();
    await peer.stop();
  }
}

/** Renews the first of a worker's credentials and puts the successor behind the others. Answers that one was renewed. */
async function inTurn<T>(own: T[], renew: (credential: T) => Promise<T>): Promise<number> {
  const credential = own.shift();
  if (credential === undefined) return 0;
  own.push(await renew(credential));
  return 1;
}

function beginning(): Parameters<TokenFamilies['begin']>[0] {
  const sessionId = (randomBytes(8).readBigUInt64BE() >> 1n) | 1n;
  return { sessionId, userId: '7', clientId: 'web', generation: 0, idleMs: DAY_MS, absoluteExpiry: null };
}
