import { RevocationStream } from '@wherry/revocation/redis';
import { SessionRuntime } from '@wherry/sessions';
import { ShardSet, slotOf } from '@wherry/shards';
import { masterKeyOf, type Cluster } from '../cluster.ts';
import { newKey } from '../sessions/sample.ts';

/** What an auth service does at a log-out, without its HTTP. */
export interface LogOuts extends AsyncDisposable {
  /** Ends the session of a token. Resolves when the answer would be sent: durable, tombstoned, and acknowledged or not (`propagated`). */
  logOut(token: string): Promise<boolean>;
  /** Resolves when every instance follows the news. */
  allFollow(): Promise<void>;
}

/** Starts it. */
export async function startLogOuts(cluster: Cluster, streamUrl: string | undefined): Promise<LogOuts> {
  const control = cluster.open(cluster.controlUrl);
  const shards = new ShardSet({ shards: cluster.shardUrls.map((url, i) => ({ name: `shard${i}`, url })) });
  const masterKey = masterKeyOf(cluster);
  const runtime = new SessionRuntime({ control, shards, masterKey, role: 'auth' });
  await runtime.run();
  const { ended: set, revocations, target, now } = runtime;
  const stream = streamUrl === undefined ? undefined : new RevocationStream({ url: streamUrl, masterKey, set, revocations, now });
  await stream?.run();
  return {
    logOut: async (token) => {
      const id = sidOf(token);
      const slot = slotOf(id);
      const found = await target.getById(slot, id);
      if (found.state !== 'live') throw new Error('the session of the bench is not there');
      const { key } = found.record;
      const seq = await revocations.endSession({ ...key, reason: 'logout' });
      const propagated = revocations.propagated(seq);
      await target.end(key, now());
      await revocations.markDrained(id);
      return propagated;
    },
    allFollow: async () => {
      while (!(await revocations.propagated(await revocations.endSession({ ...newKey(), reason: 'logout' }))));
    },
    [Symbol.asyncDispose]: async () => {
      await stream?.stop();
      await runtime.drain();
      await runtime.stop();
      await shards.stop();
    },
  };
}

function sidOf(token: string): bigint {
  const [, payload = ''] = token.split('.');
  const { sid } = JSON.parse(Buffer.from(payload, 'base64url').toString()) as { readonly sid: string };
  return BigInt(sid);
}
