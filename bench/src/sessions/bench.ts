import { SqlSessions } from '@wherry/sessions/sql';
import { ShardSet, SlotMap } from '@wherry/shards';
import { startCluster } from '../cluster.ts';
import { ratio } from '../ratios.ts';
import type { BenchResult } from '../report.ts';
import { alternate, roundsOf } from '../rounds.ts';
import { pairedRatio } from '../statistics.ts';
import { drive } from './drive.ts';
import { Peers } from './peers.ts';
import { populate } from './population.ts';
import { newKey, newSession } from './sample.ts';

const IN_FLIGHT = 64;
/** Ids in one statement of the raw loop, and loops on each database: more keys under way than callers of ours. */
const RAW_IDS = 50;
const RAW_IN_FLIGHT = 1;

/** Look-ups and log-ins: ours through the sharded store, theirs by one prepared statement a call, on the same tables. */
export async function benchSessions(quick: boolean): Promise<BenchResult> {
  const perShard = quick ? 150_000 : 1_000_000;
  // Short rounds and many: the sides of a pair then meet the same machine.
  const seconds = quick ? 1 : 3;
  const rounds = quick ? 15 : 25;
  await using cluster = await startCluster('target');
  const map = new SlotMap({ control: cluster.open(cluster.controlUrl) });
  await map.refresh();
  console.log(`filling two databases with ${perShard.toLocaleString('en')} sessions each`);
  const keys = await populate(cluster, map, perShard);
  const shards = new ShardSet({ shards: cluster.shardUrls.map((url, i) => ({ name: `shard${i}`, url })) });
  const sessions = new SqlSessions({ shards, map });
  const peers = new Peers(cluster.shardUrls, map, keys);
  const pick = () => keys[(Math.random() * keys.length) | 0] ?? newKey();
  try {
    const lookups = await alternate(
      [
        {
          name: 'wherry',
          measure: () => drive({ inFlight: IN_FLIGHT, seconds, call: async () => ((await sessions.get(pick())).state === 'live' ? 1 : 0) }),
        },
        { name: 'pool', measure: () => drive({ inFlight: IN_FLIGHT, seconds, call: () => peers.lookUp(pick()) }) },
        {
          name: 'raw',
          measure: () =>
            drive({ inFlight: RAW_IN_FLIGHT * cluster.shardUrls.length, seconds, call: (worker) => peers.lookUpRaw(RAW_IDS, worker) }),
        },
      ],
      { rounds, unit: '/s' },
    );
    let user = 0;
    const fresh = () => newSession(newKey(), user++, Date.now());
    const logins = await alternate(
      [
        {
          name: 'wherry',
          measure: () =>
            drive({ inFlight: IN_FLIGHT, seconds, call: async () => ((await sessions.create(fresh())) === 'applied' ? 1 : 0) }),
        },
        { name: 'single', measure: () => drive({ inFlight: IN_FLIGHT, seconds, call: () => peers.insert(fresh()) }) },
      ],
      { rounds: quick ? 7 : 9, unit: '/s' },
    );
    return {
      settings: { perShard, inFlight: IN_FLIGHT, rawIds: RAW_IDS, seconds },
      parts: [
        { name: 'look-ups', unit: '/s', rounds: lookups },
        { name: 'log-ins', unit: '/s', rounds: logins },
      ],
      ratios: [
        ratio('sessions-lookup', pairedRatio(roundsOf(lookups, 'wherry'), roundsOf(lookups, 'pool'))),
        ratio('sessions-lookup-raw', pairedRatio(roundsOf(lookups, 'wherry'), roundsOf(lookups, 'raw'))),
        ratio('sessions-login', pairedRatio(roundsOf(logins, 'wherry'), roundsOf(logins, 'single'))),
      ],
    };
  } finally {
    await sessions.stop();
    await shards.stop();
    await peers.stop();
  }
}
