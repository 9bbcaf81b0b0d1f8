import type { IncomingMessage, ServerResponse } from 'node:http';
import { WherryError, asWherryError } from '@wherry/core';
import { sendProblem } from '@wherry/http';

/** Options of {@link Admin}. */
export interface AdminOptions {
  /** Why no requests should come here; undefined: they may. */
  readonly unready: () => string | undefined;
  readonly metrics: { page(): Promise<string>; readonly contentType: string };
}

/** The pages for those who run the gateway: is it alive, may it get requests, its numbers. */
export class Admin {
  readonly #options: AdminOptions;

  constructor(options: AdminOptions) {
    this.#options = options;
  }

  /** True when it has answered, or will: the path is one of its own. */
  handle(request: IncomingMessage, response: ServerResponse): boolean {
    switch (request.url ?? '') {
      case '/livez':
        send(response, 200, 'text/plain; charset=utf-8', 'ok\n');
        return true;
      case '/readyz': {
        const reason = this.#options.unready();
        if (reason === undefined) send(response, 200, 'text/plain; charset=utf-8', 'ready\n');
        else send(response, 503, 'text/plain; charset=utf-8', `${reason}\n`);
        return true;
      }
      case '/metrics':
        this.#options.metrics.page().then(
          (page) => send(response, 200, this.#options.metrics.contentType, page),
          (error: unknown) => sendProblem(response, asWherryError(error)),
        );
        return true;
      default:
        return false;
    }
  }

  /** Answers on the port that has nothing else. */
  serve(request: IncomingMessage, response: ServerResponse): void {
    if (!this.handle(request, response)) sendProblem(response, new WherryError('not_found', 'here are /livez, /readyz and /metrics'));
  }
}

function send(response: ServerResponse, status: number, type: string, body: string): void {
  response.writeHead(status, { 'Content-Type': type, 'Content-Length': Buffer.byteLength(body), 'Cache-Control': 'no-store' });
  response.end(body);
}
