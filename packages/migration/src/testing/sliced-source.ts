import type { SourcePage, SourcePartition, SourceSession, SourceStore } from '@wherry/sessions';
import { createRedisSource, type RedisSourceOptions } from '@wherry/sessions/redis';

/**
 * A Redis source in as many partitions as there are `slices`: the first character of a session's id names the one that it
 * lies in. The keys are the same as those of one source, so applications need not know of it. For tests of several workers.
 */
export function slicedSource(options: RedisSourceOptions & { readonly prefix: string }, slices: readonly string[]): SourceStore {
  const whole = createRedisSource(options);
  const bySlice = new Map(slices.map((slice) => [slice, createRedisSource({ ...options, prefix: options.prefix + slice })]));
  const withSlice = (slice: string, session: SourceSession): SourceSession => ({ ...session, rawId: slice + session.rawId });
  return {
    describe: () => whole.describe(),
    now: () => whole.now(),
    partitions: async (): Promise<readonly SourcePartition[]> => {
      const incarnation = (await whole.partitions())[0]?.incarnation ?? '';
      return slices.map((id) => ({ id, incarnation }));
    },
    scan: async ({ id, incarnation }, cursor, limit, signal): Promise<SourcePage> => {
      const slice = bySlice.get(id);
      if (slice === undefined) throw new Error(`there is no slice ${id}`);
      const { sessions, next } = await slice.scan({ id: '0', incarnation }, cursor, limit, signal);
      return { sessions: sessions.map((session) => withSlice(id, session)), next };
    },
    get: (rawIds) => whole.get(rawIds),
    count: () => whole.count(),
    save: (...args) => whole.save(...args),
    touch: (...args) => whole.touch(...args),
    end: (...args) => whole.end(...args),
    put: (...args) => whole.put(...args),
    close: async () => {
      await Promise.all([whole, ...bySlice.values()].map((source) => source.close()));
    },
  };
}
