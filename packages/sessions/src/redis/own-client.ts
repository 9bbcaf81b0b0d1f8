import { createClient } from 'redis';
import type { RedisCommander } from './connection.ts';

/** A client that was opened here, and has to be closed here. */
export interface OwnClient {
  /** Resolves at the first connection; the client reconnects by itself ever after. */
  readonly connected: Promise<RedisCommander>;
  /** `host:port/database`, without credentials. */
  readonly location: string;
  close(): Promise<void>;
}

/** Opens a client for `url` (`redis://` or `rediss://`). Commands fail at once while it is not connected. */
export function openClient(url: string): OwnClient {
  const client = createClient({
    url,
    disableOfflineQueue: true,
    socket: { connectTimeout: 2000, reconnectStrategy: (retries) => Math.min(1000, 25 * 2 ** Math.min(retries, 6)) },
  });
  // Each failed call is told to its caller; without a listener the process would end.
  client.on('error', () => undefined);
  const connected = client.connect();
  const { host, pathname } = new URL(url);
  return {
    connected,
    location: `${host}${pathname === '/' ? '' : pathname}`,
    close: async () => {
      if (client.isReady) await client.close();
      else client.destroy();
    },
  };
}
