import { WherryError } from '@wherry/core';
import { createClient, createCluster, createSentinel } from 'redis';
import { parseRedisUrl, type RedisAddress } from './redis-url.ts';
import type { RedisClient } from './routes.ts';

/** A client that was opened here, and has to be closed here. */
export interface OwnClient {
  /** Resolves at the first connection; the client reconnects by itself ever after. */
  readonly connected: Promise<RedisClient>;
  /** `host:port/database`, of several their list, without credentials. */
  readonly location: string;
  readonly isCluster: boolean;
  close(): Promise<void>;
}

const SOCKET = {
  connectTimeout: 2000,
  reconnectStrategy: (retries: number): number => Math.min(1000, 25 * 2 ** Math.min(retries, 6)),
};
/** How long a node is tried again before the others are asked who has its slots. */
const REFRESH_AFTER_MS = 300;

/** Opens a client for `url`. Commands fail at once while it is not connected. `config_invalid` for what is no address. */
export function openClient(url: string): OwnClient {
  const address = parseRedisUrl(url);
  if (address === undefined) throw new WherryError('config_invalid', 'the URL of a Redis source is not an address that is understood');
  const { location } = address;
  const client = clientOf(address);
  // Each failed call is told to its caller; without a listener the process would end.
  client.on('error', () => undefined);
  const connected = client.connect();
  return {
    connected: connected as Promise<unknown> as Promise<RedisClient>,
    location,
    isCluster: address.form === 'cluster',
    close: async () => {
      if (client.isReady) await client.close();
      else await client.destroy();
    },
  };
}

type AnyClient = ReturnType<typeof createClient> | ReturnType<typeof createCluster> | ReturnType<typeof createSentinel>;

function clientOf(address: RedisAddress): AnyClient {
  const { username, password, tls } = address;
  const access = { ...(username === undefined ? {} : { username }), ...(password === undefined ? {} : { password }) };
  const socket = tls ? { ...SOCKET, tls: true as const } : SOCKET;
  switch (address.form) {
    case 'server':
      return createClient({ url: address.url, disableOfflineQueue: true, socket: SOCKET });
    case 'cluster':
      return createCluster({
        rootNodes: address.hosts.map((host) => ({ ...access, socket: { ...socket, ...host } })),
        defaults: { ...access, disableOfflineQueue: true, socket },
        topologyRefreshOnReconnectionAttemptStrategy: REFRESH_AFTER_MS,
      });
    case 'sentinel':
      return createSentinel({
        name: address.master,
        sentinelRootNodes: [...address.hosts],
        nodeClientOptions: { ...access, database: address.database, socket },
        ...(tls ? { sentinelClientOptions: { socket } } : {}),
        // One connection for all commands, as for one server.
        reserveClient: true,
      });
  }
}
