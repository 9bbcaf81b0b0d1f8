import { freePort } from './free-port.ts';
import { portAnswers } from './port-answers.ts';
import { startRedisNode, untilHolds, type RedisNode } from './redis-node.ts';

/** A running Redis Cluster on loopback. */
export interface RedisCluster {
  /** Masters at the start, each with a third of the 16,384 slots where there are three. */
  readonly masters: readonly RedisNode[];
  /** `replicas[i]` follows `masters[i]`, as far as there are any. */
  readonly replicas: readonly RedisNode[];
  /** `redis-cluster://host:port,…` with all of the nodes. */
  readonly url: string;
  stop(): Promise<void>;
}

/** Options of {@link startRedisCluster}. */
export interface RedisClusterOptions {
  /** Default 3. */
  readonly masters?: number;
  /** How many of the masters have a replica; default 0. */
  readonly replicas?: number;
  /** When a silent node counts as failed, ms; default a minute: nothing changes by itself on a busy machine. */
  readonly nodeTimeoutMs?: number;
}

const SLOTS = 16_384;
const BUS = 10_000;

/** Starts a cluster of its own, and resolves when every node answers for all slots. It ends when this process does. */
export async function startRedisCluster(options: RedisClusterOptions = {}): Promise<RedisCluster> {
  const { masters: count = 3, replicas: followers = 0, nodeTimeoutMs = 60_000 } = options;
  const nodes: RedisNode[] = [];
  const stop = async (): Promise<void> => {
    await Promise.all(nodes.map((node) => node.stop()));
  };
  try {
    for (let i = 0; i < count + followers; i++) nodes.push(await startNode(nodeTimeoutMs));
    const [first] = nodes;
    if (first === undefined) throw new Error('a cluster needs a master');
    await Promise.all(
      nodes.slice(0, count).map((node, i) => {
        const from = Math.ceil((i * SLOTS) / count);
        const slots = Array.from({ length: Math.ceil(((i + 1) * SLOTS) / count) - from }, (_, n) => String(from + n));
        return node.command('CLUSTER', 'ADDSLOTS', ...slots);
      }),
    );
    // Of two nodes with the same epoch one gives way, which takes a while: each has its own from the start.
    for (const [i, node] of nodes.entries()) await node.command('CLUSTER', 'SET-CONFIG-EPOCH', String(i + 1));
    for (const node of nodes.slice(1)) await first.command('CLUSTER', 'MEET', '127.0.0.1', String(node.port));
    await untilHolds('a cluster in which all know each other', async () => (await all(nodes, knownNodes)).every((n) => n === nodes.length));
    for (const [i, node] of nodes.slice(count).entries())
      await node.command('CLUSTER', 'REPLICATE', (await nodes[i]?.command('CLUSTER', 'MYID')) ?? '');
    await untilHolds('a cluster that is ready', async () => (await all(nodes, isReady)).every(Boolean));
    await untilHolds('replicas that follow', async () => (await all(nodes.slice(count), follows)).every(Boolean));
  } catch (error) {
    await stop();
    throw error;
  }
  const url = `redis-cluster://${nodes.map(({ port }) => `127.0.0.1:${port}`).join(',')}`;
  return { masters: nodes.slice(0, count), replicas: nodes.slice(count), url, stop };
}

async function startNode(nodeTimeoutMs: number): Promise<RedisNode> {
  const port = await clusterPort();
  return startRedisNode({
    port,
    args: Object.entries({
      'cluster-enabled': 'yes',
      'cluster-config-file': 'nodes.conf',
      'cluster-node-timeout': String(nodeTimeoutMs),
      'cluster-replica-validity-factor': '0',
      save: '',
      appendonly: 'no',
      'repl-diskless-sync-delay': '0',
    }).flatMap(([name, value]) => [`--${name}`, value]),
  });
}

/** A port whose bus port (10,000 above, on every version) is one and is free too. */
async function clusterPort(): Promise<number> {
  for (;;) {
    const port = await freePort();
    if (port + BUS < 65_536 && !(await portAnswers(port + BUS))) return port;
  }
}

function all<T>(nodes: readonly RedisNode[], ask: (node: RedisNode) => Promise<T>): Promise<T[]> {
  return Promise.all(nodes.map(ask));
}

async function knownNodes(node: RedisNode): Promise<number> {
  const lines = (await node.command('CLUSTER', 'NODES')).trim().split('\n');
  return lines.filter((line) => !line.includes('handshake') && line.includes('connected')).length;
}

async function isReady(node: RedisNode): Promise<boolean> {
  const info = await node.command('CLUSTER', 'INFO');
  return info.includes('cluster_state:ok') && info.includes(`cluster_slots_ok:${SLOTS}`);
}

async function follows(node: RedisNode): Promise<boolean> {
  return (await node.command('INFO', 'replication')).includes('master_link_status:up');
}
