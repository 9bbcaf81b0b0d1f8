import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

/** A way to a server that can be cut for one process alone. */
export interface SeverableLink {
  /** The server's URL by this way. */
  readonly url: string;
  /** Ends what is connected and lets nobody through. */
  sever(): void;
  mend(): void;
  close(): Promise<void>;
}

/** Opens one to the server that `url` names. */
export async function openLink(url: string): Promise<SeverableLink> {
  const target = new URL(url);
  const sockets = new Set<Socket>();
  let severed = false;
  const server = createServer((near) => {
    if (severed) {
      near.destroy();
      return;
    }
    const far = connect(Number(target.port), target.hostname);
    for (const [socket, other] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(socket);
      socket.on('error', () => other.destroy());
      socket.once('close', () => {
        sockets.delete(socket);
        other.destroy();
      });
      socket.pipe(other);
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const by = new URL(url);
  by.hostname = '127.0.0.1';
  by.port = String((server.address() as AddressInfo).port);
  const cut = (): void => {
    for (const socket of sockets) socket.destroy();
  };
  return {
    url: by.href,
    sever: () => {
      severed = true;
      cut();
    },
    mend: () => {
      severed = false;
    },
    close: async () => {
      server.close();
      cut();
      await once(server, 'close');
    },
  };
}
