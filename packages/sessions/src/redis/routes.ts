/** Part of a command as the package `redis` takes it. */
type Argument = string | Buffer;

/** What is needed of a client of one server: the application's own (`createClient`), or one made here. */
export interface RedisCommander {
  sendCommand(args: readonly string[], options?: { typeMapping: Record<string, never> }): Promise<unknown>;
}

/** What is needed of a client of a cluster (`createCluster`). */
export interface RedisClusterCommander {
  readonly masters: readonly { readonly host: string; readonly port: number }[];
  nodeClient(node: never): Promise<RedisCommander> | RedisCommander;
  sendCommand(
    key: string | undefined,
    isReadonly: boolean,
    args: string[],
    options?: { typeMapping: Record<string, never> },
  ): Promise<unknown>;
}

/** What is needed of a client that asks sentinels for the master (`createSentinel`). */
export interface RedisSentinelCommander {
  getMasterNode(): unknown;
  sendCommand(isReadonly: boolean, args: string[], options?: { typeMapping: Record<string, never> }): Promise<unknown>;
}

/** Any of the clients that the package `redis` makes. */
export type RedisClient = RedisCommander | RedisClusterCommander | RedisSentinelCommander;

/** Sends one command to one server. */
export type SendCommand = (args: readonly Argument[], options: object) => Promise<unknown>;

/** One master of those that hold keys. */
export interface RedisMaster {
  /** `host:port` in a cluster, else empty: there is one. */
  readonly address: string;
  readonly send: SendCommand;
}

/** Ways to the servers behind a client. */
export interface RedisRoutes {
  /** To whoever has `key`, wherever that has gone meanwhile. */
  send(key: Argument, args: readonly Argument[], options: object): Promise<unknown>;
  /** To every master that the client knows now. */
  masters(): Promise<readonly RedisMaster[]>;
}

/** True where keys lie on several servers, by their slots. */
export function isCluster(client: RedisClient): boolean {
  return 'masters' in client;
}

/** The ways of a client, told by what it can do. */
export function routesOf(client: RedisClient): RedisRoutes {
  if ('masters' in client) return clusterRoutes(client);
  if ('getMasterNode' in client) return singleRoutes(sentinelSend(client));
  return singleRoutes(client.sendCommand.bind(client) as SendCommand);
}

function singleRoutes(send: SendCommand): RedisRoutes {
  return { send: (_key, args, options) => send(args, options), masters: () => Promise.resolve([{ address: '', send }]) };
}

/**
 * Commands that are begun together while none is under way each ask the client for a connection of its own, which it then
 * does not give back (redis 6.3.1, `RedisSentinel._execute`): the first one goes ahead until it has one for all.
 */
function sentinelSend(client: RedisSentinelCommander): SendCommand {
  const send = client.sendCommand.bind(client, false) as SendCommand;
  let underWay = 0;
  let opened: Promise<void> = Promise.resolve();
  return async (args, options) => {
    if (underWay++ === 0) opened = new Promise((resolve) => setImmediate(resolve));
    else await opened;
    try {
      return await send(args, options);
    } finally {
      underWay--;
    }
  };
}

function clusterRoutes(cluster: RedisClusterCommander): RedisRoutes {
  const send = cluster.sendCommand.bind(cluster) as (
    key: Argument,
    isReadonly: boolean,
    args: readonly Argument[],
    options: object,
  ) => Promise<unknown>;
  return {
    send: (key, args, options) => send(key, false, args, options),
    masters: () =>
      Promise.all(
        cluster.masters.map(async (node) => {
          const client = await cluster.nodeClient(node as never);
          return { address: `${node.host}:${node.port}`, send: client.sendCommand.bind(client) as SendCommand };
        }),
      ),
  };
}
