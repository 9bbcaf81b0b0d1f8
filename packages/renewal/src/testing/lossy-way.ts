import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

/** What happens to the next message that holds the marked text: it is lost, its answer is lost, or its answer is kept back for ever. */
export type Loss = 'message' | 'answer' | 'held';

/** A way to a server that loses what it is told to. */
export interface LossyWay extends AsyncDisposable {
  /** The server's address by this way. */
  readonly url: string;
  /** Loses `times` messages with `mark` in them, or their answers. Resolves when that has happened, for an answer after the server gave it. */
  lose(mark: string, loss: Loss, times?: number): Promise<void>;
}

/** Opens a way to the server at `url`. */
export async function openLossyWay(url: string): Promise<LossyWay> {
  const target = new URL(url);
  const sockets = new Set<Socket>();
  let armed: { readonly mark: string; readonly loss: Loss; left: number; readonly done: () => void } | undefined;
  const server = createServer((client) => {
    const upstream = connect(Number(target.port), target.hostname);
    let waiting: typeof armed;
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
    }
    client.on('data', (data) => {
      if (armed === undefined || armed.left === 0 || !data.includes(armed.mark)) {
        upstream.write(data);
        return;
      }
      armed.left--;
      if (armed.loss === 'message') {
        client.destroy();
        if (armed.left === 0) armed.done();
        return;
      }
      waiting = armed;
      upstream.write(data);
    });
    upstream.on('data', (data) => {
      if (waiting === undefined) {
        client.write(data);
        return;
      }
      if (waiting.loss === 'answer') client.destroy();
      if (waiting.left === 0) waiting.done();
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const way = new URL(url);
  way.host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    url: way.href,
    lose: async (mark, loss, times = 1) => {
      const { promise, resolve } = Promise.withResolvers<void>();
      armed = { mark, loss, left: times, done: resolve };
      return promise;
    },
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}
