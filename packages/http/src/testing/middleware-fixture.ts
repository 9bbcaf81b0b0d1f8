import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { GatewayPrincipalOptions, JudgedPrincipalOptions } from '../admission.ts';

/** A route as the suite wants it, for a framework to mount in its own way. */
export interface Route {
  readonly method: 'GET' | 'POST';
  /** What begins with `/api/` is mounted below a router, scope or prefix of the framework's own. */
  readonly path: string;
  /**
   * Answers a stream, which the framework sends in its own way, or a value that it sends as JSON. What it throws goes the
   * framework's way of errors. The request's body is not read yet, unless its type is JSON: then `body` has it.
   */
  readonly work: (call: Call) => unknown;
}

/** One request to a {@link Route}: what lies below the framework's own objects. */
export interface Call {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly body: unknown;
}

/** The application that a framework has to build. */
export interface Setup {
  /** Options of `principalFromGateway`, put before all routes; or a judge, for `principalFrom`. */
  readonly principal: GatewayPrincipalOptions | JudgedPrincipalOptions;
  /** Behind the principal; the framework's counterpart of `problemHandler` is there as well. */
  readonly routes: readonly Route[];
}

/** A running application. */
export interface Serving extends AsyncDisposable {
  readonly port: number;
  readonly url: string;
}

/** Builds and starts the application in one framework. */
export type Serve = (setup: Setup) => Promise<Serving>;

/** Listens on a free port of loopback; disposed of, cuts what is open and calls `stop`. */
export async function listening(server: Server, stop: () => Promise<unknown> = () => closed(server)): Promise<Serving> {
  if (!server.listening) await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    port,
    url: `http://127.0.0.1:${port}`,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await stop();
    },
  };
}

async function closed(server: Server): Promise<void> {
  await new Promise<void>((resolve, reject) => server.close((error) => (error === undefined ? resolve() : reject(error))));
}
