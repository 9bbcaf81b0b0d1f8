import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createApp } from './app.ts';
import { ConfigError, readConfig, type Config } from './config.ts';
import { openCarts } from './carts.ts';
import { createStatelessApp } from './stateless-app.ts';
import { openStore } from './store.ts';

const DRAIN_MS = 10_000;

let config: Config;
try {
  config = readConfig(process.env);
} catch (error) {
  if (!(error instanceof ConfigError)) throw error;
  console.error(error.message);
  process.exit(2);
}

const { app, close } = await assemble(config);
const server = createServer(app);
server.listen(config.port, config.host, () => {
  const { port } = server.address() as AddressInfo;
  console.log(
    `listening on http://${config.host}:${port}${config.instrumented ? ', store wrapped' : ''}${config.stateless === undefined ? '' : ', without sessions'}`,
  );
});

let ending = false;
// A proxy keeps its connections busy: without being told, it would hold this process up until the deadline.
server.prependListener('request', (_request, response) => {
  if (ending) response.setHeader('connection', 'close');
});
function end(): void {
  if (ending) process.exit(1);
  ending = true;
  // Requests under way finish; kept-alive connections end as they fall idle.
  const late = setTimeout(() => server.closeAllConnections(), DRAIN_MS);
  server.close(() => {
    clearTimeout(late);
    close().then(
      () => process.exit(0),
      () => process.exit(1),
    );
  });
  server.closeIdleConnections();
}
process.on('SIGTERM', end);
process.on('SIGINT', end);

async function assemble({ stateless, ...rest }: Config): Promise<{ readonly app: RequestListener; readonly close: () => Promise<void> }> {
  if (stateless === undefined) {
    const sessions = await openStore({ ...rest, stateless });
    return { app: createApp(sessions.store, { ...rest, stateless }), close: sessions.close };
  }
  const carts = await openCarts(rest);
  return { app: createStatelessApp(carts, stateless), close: () => carts.close() };
}
