import { createServer } from 'node:net';

/** A TCP port of the loopback interface that nobody listens on. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => (typeof address === 'object' && address !== null ? resolve(address.port) : reject(new Error('no port'))));
    });
  });
}

const TRIES = 3;

/** Starts a server on a free port. Somebody else may take the port in between, so a failed start is repeated on another one. */
export async function onFreePort<T>(start: (port: number) => Promise<T>): Promise<{ readonly port: number; readonly started: T }> {
  for (let attempt = 1; ; attempt++) {
    const port = await freePort();
    try {
      return { port, started: await start(port) };
    } catch (error) {
      if (attempt === TRIES) throw error;
    }
  }
}
