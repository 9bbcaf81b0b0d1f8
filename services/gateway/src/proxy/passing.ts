import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Caller } from '../caller.ts';
import type { ResponseHeaders } from '../respond.ts';
import type { Route } from '../routes.ts';

/** A request that has been judged. */
export interface Passing {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly route: Route;
  /** undefined: nobody, where the route allows that. */
  readonly caller: Caller | undefined;
  /** Goes back to the client with whatever answer it gets. */
  readonly respond: ResponseHeaders;
  /** The client waits to be told to send its body (RFC 9110 section 10.1.1). */
  readonly expectsContinue: boolean;
  /** The first bytes after a request that asks for a WebSocket; undefined: an ordinary request. */
  readonly head: Buffer | undefined;
  /** Epoch ms. */
  readonly now: number;
}
