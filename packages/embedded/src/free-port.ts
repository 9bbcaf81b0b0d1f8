import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';

/**
 * Below the ports that systems give to outgoing connections: no connection takes one that was found free, or that of a
 * server which is away for a moment. Ten thousand further up there is room for a second port of the same server.
 */
const [FIRST, END] = [10_000, 22_000];
const given = new Set<number>();

/** A TCP port of the loopback interface that nobody listens on, another one at each call. */
export async function freePort(): Promise<number> {
  for (let look = 0; look < END - FIRST; look++) {
    const port = randomInt(FIRST, END);
    if (given.has(port)) continue;
    given.add(port);
    if ((await isFree(port, '127.0.0.1')) && (await isFree(port, '0.0.0.0'))) return port;
  }
  throw new Error(`no free port from ${FIRST} to ${END - 1}`);
}

function isFree(port: number, host: string): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen({ port, host, exclusive: true }, () => server.close(() => resolve(true)));
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
