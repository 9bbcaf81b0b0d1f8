import { copySessions, createMigration, type MigrationContext } from '@wherry/migration';
import { SessionRuntime, expressJsonDecoder } from '@wherry/sessions';
import { createRedisSource } from '@wherry/sessions/redis';
import { ShardSet } from '@wherry/shards';
import { masterKeyOf, type Cluster } from '../cluster.ts';
import { IDENTITY } from './legacy-sessions.ts';

/** The migrator's copying step, as a migrator process has it. */
export class Copier {
  readonly #context: MigrationContext;
  readonly #stop: () => Promise<void>;

  private constructor(context: MigrationContext, stop: () => Promise<void>) {
    this.#context = context;
    this.#stop = stop;
  }

  static async start(cluster: Cluster, redisUrl: string): Promise<Copier> {
    const control = cluster.open(cluster.controlUrl);
    const shards = new ShardSet({ shards: cluster.shardUrls.map((url, i) => ({ name: `shard${i}`, url })) });
    const runtime = new SessionRuntime({ control, shards, masterKey: masterKeyOf(cluster), role: 'migrator' });
    await runtime.run();
    const source = createRedisSource({ url: redisUrl });
    const abort = new AbortController();
    const { context } = await createMigration({
      runtime,
      source,
      decode: expressJsonDecoder({ identity: IDENTITY }),
      writers: 'none',
      signal: abort.signal,
    });
    await context.journal.lead();
    return new Copier(context, async () => {
      abort.abort();
      await context.journal.yieldLead();
      await source.close();
      await runtime.drain();
      await runtime.stop();
      await shards.stop();
    });
  }

  /** Copies everything, from the beginning. Answers how many sessions were copied. */
  async copy(): Promise<number> {
    // A machine that stood still between two rounds has cost the lease.
    await this.#context.journal.lead();
    await this.#context.journal.forget('copy');
    const { copied } = await copySessions(this.#context);
    return copied;
  }

  async stop(): Promise<void> {
    await this.#stop();
  }
}
