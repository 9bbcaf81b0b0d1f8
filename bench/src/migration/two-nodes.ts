import type { SourcePage, SourceStore } from '@wherry/sessions';
import { createRedisSource } from '@wherry/sessions/redis';

/** Several Redis servers as one source, a partition each, as the nodes of a cluster are. For copying alone: nothing is written to it. */
export function severalServers(urls: readonly string[]): SourceStore {
  const nodes = urls.map((url) => createRedisSource({ url }));
  const [first] = nodes;
  if (first === undefined) throw new Error('a source needs a server');
  return {
    describe: () => first.describe(),
    now: () => first.now(),
    partitions: async () =>
      (await Promise.all(nodes.map((node) => node.partitions()))).flatMap((partitions, node) =>
        partitions.map(({ incarnation }) => ({ id: String(node), incarnation })),
      ),
    scan: async ({ id, incarnation }, cursor, limit, signal): Promise<SourcePage> =>
      (nodes[Number(id)] ?? first).scan({ id: '0', incarnation }, cursor, limit, signal),
    get: async (rawIds) => {
      const found = await Promise.all(nodes.map((node) => node.get(rawIds)));
      return rawIds.map((_, index) => found.map((sessions) => sessions[index]).find((session) => session !== undefined));
    },
    count: async () => (await Promise.all(nodes.map((node) => node.count()))).reduce((sum, count) => sum + count, 0),
    save: (...args) => first.save(...args),
    touch: (...args) => first.touch(...args),
    end: (...args) => first.end(...args),
    put: (...args) => first.put(...args),
    close: async () => {
      await Promise.all(nodes.map((node) => node.close()));
    },
  };
}
