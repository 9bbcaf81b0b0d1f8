import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort } from './free-port.ts';
import { startRedisNode, untilHolds, type RedisNode } from './redis-node.ts';

/** A master, a replica and three sentinels on loopback. */
export interface RedisSentinels {
  /** Master and replica as they were at the start. */
  readonly master: RedisNode;
  readonly replica: RedisNode;
  readonly sentinels: readonly RedisNode[];
  /** `redis-sentinel://host:port,…/master-name`. */
  readonly url: string;
  /** Lets the sentinels promote the replica at once, and resolves when it is the master. */
  failOver(): Promise<void>;
  stop(): Promise<void>;
}

/** Options of {@link startRedisSentinels}. */
export interface RedisSentinelOptions {
  /** When a silent server counts as down, ms; default a minute: nothing changes by itself on a busy machine. */
  readonly downAfterMs?: number;
}

const NAME = 'sessions';
const QUORUM = 2;

/**
 * Starts the group. The sentinels are told of each other and of the replica by their files, which they otherwise would
 * find out in seconds. It ends when this process does.
 */
export async function startRedisSentinels({ downAfterMs = 60_000 }: RedisSentinelOptions = {}): Promise<RedisSentinels> {
  const nodes: RedisNode[] = [];
  const stop = async (): Promise<void> => {
    await Promise.all(nodes.toReversed().map((node) => node.stop()));
  };
  try {
    const master = await startServer();
    nodes.push(master);
    const replica = await startServer('--replicaof', '127.0.0.1', String(master.port));
    nodes.push(replica);
    const identities: { readonly id: string; readonly port: number }[] = [];
    for (let i = 0; i < 3; i++) identities.push({ id: randomBytes(20).toString('hex'), port: await freePort() });
    const sentinels: RedisNode[] = [];
    for (const self of identities) {
      const lines = [
        `sentinel myid ${self.id}`,
        `sentinel monitor ${NAME} 127.0.0.1 ${master.port} ${QUORUM}`,
        `sentinel down-after-milliseconds ${NAME} ${downAfterMs}`,
        `sentinel failover-timeout ${NAME} 5000`,
        `sentinel known-replica ${NAME} 127.0.0.1 ${replica.port}`,
        ...identities.filter(({ id }) => id !== self.id).map(({ id, port }) => `sentinel known-sentinel ${NAME} 127.0.0.1 ${port} ${id}`),
      ];
      const prepare = (folder: string): string => {
        const file = join(folder, 'sentinel.conf');
        writeFileSync(file, `${lines.join('\n')}\n`);
        return file;
      };
      const sentinel = await startRedisNode({ port: self.port, args: ['--sentinel'], prepare });
      nodes.push(sentinel);
      sentinels.push(sentinel);
    }
    await untilHolds('a replica that follows', async () =>
      (await replica.command('INFO', 'replication')).includes('master_link_status:up'),
    );
    await untilHolds('sentinels that agree', async () =>
      (await Promise.all(sentinels.map((sentinel) => sentinel.command('SENTINEL', 'CKQUORUM', NAME)))).every((reply) =>
        reply.startsWith('OK'),
      ),
    );
    const url = `redis-sentinel://${sentinels.map(({ port }) => `127.0.0.1:${port}`).join(',')}/${NAME}`;
    const failOver = async (): Promise<void> => {
      // Refused while a sentinel has not yet heard from the replica, or another failover is being finished.
      await untilHolds('a failover', async () => (await sentinels[0]?.command('SENTINEL', 'FAILOVER', NAME)) === 'OK');
      await untilHolds('a new master', async () => (await replica.command('INFO', 'replication')).includes('role:master'));
    };
    return { master, replica, sentinels, url, failOver, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function startServer(...args: readonly string[]): Promise<RedisNode> {
  return startRedisNode({
    port: await freePort(),
    args: ['--save', '', '--appendonly', 'no', '--repl-diskless-sync-delay', '0', ...args],
  });
}
