import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

/** A way to a server that can be cut and mended. */
export interface Severable extends AsyncDisposable {
  /** The server's address by this way. */
  readonly url: string;
  /** Ends all connections and takes no more. */
  sever(): void;
  mend(): void;
}

/** Opens a way to the server at `url`. */
export async function openWay(url: string): Promise<Severable> {
  const target = new URL(url);
  const sockets = new Set<Socket>();
  let cut = false;
  const server = createServer((client) => {
    if (cut) {
      client.destroy();
      return;
    }
    const upstream = connect(Number(target.port), target.hostname);
    for (const [socket, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      sockets.add(socket);
      socket.on('error', () => undefined);
      socket.on('close', () => {
        sockets.delete(socket);
        other.destroy();
      });
      socket.pipe(other);
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const way = new URL(url);
  way.host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  const sever = (): void => {
    cut = true;
    for (const socket of sockets) socket.destroy();
  };
  return {
    url: way.href,
    sever,
    mend: () => {
      cut = false;
    },
    [Symbol.asyncDispose]: async () => {
      sever();
      server.close();
      await once(server, 'close');
    },
  };
}
