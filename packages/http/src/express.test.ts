import { pipeline } from 'node:stream/promises';
import { createServer } from 'node:http';
import { Readable } from 'node:stream';
import express, { type Express, type NextFunction, type Request, type Response } from 'express';
import express4 from 'express4';
import { describe, expect, it } from 'vitest';
import { principalFrom, principalFromGateway, problemHandler } from './express.ts';
import { encodeIdentity } from './identity-headers.ts';
import { currentPrincipal } from './principal-context.ts';
import { ask } from './testing/ask.ts';
import { describeMiddlewareConformance } from './testing/middleware-conformance.ts';
import { listening, type Route, type Serve } from './testing/middleware-fixture.ts';

const as = (userId: string): Record<string, string> => ({ ...encodeIdentity({ userId, authorities: [], kind: 'jwt' }) });

/** What both generations have in common. */
type Make = (() => Express) & { readonly Router: typeof express.Router; readonly json: typeof express.json };

const served =
  (make: Make): Serve =>
  async ({ principal, routes }) => {
    const app = make();
    const router = make.Router();
    app.use('judge' in principal ? principalFrom(principal) : principalFromGateway(principal));
    app.use(make.json());
    app.use('/api', router);
    for (const { method, path, work } of routes) {
      const mount = path.startsWith('/api/') ? router : app;
      mount[method === 'GET' ? 'get' : 'post'](path.replace(/^\/api/, ''), handlerOf(work));
    }
    app.use(problemHandler());
    app.use((_error: unknown, _request: Request, response: Response, next: NextFunction) => {
      if (response.headersSent) next(_error);
      else response.status(500).send('a fault');
    });
    return listening(createServer(app));
  };

/** Generation 4 does not look at promises, so the handler hands its error on itself. */
function handlerOf(work: Route['work']) {
  return (request: Request, response: Response, next: NextFunction): void => {
    const answered = async (): Promise<void> => {
      const answer = await work({ request, response, body: request.body as unknown });
      if (answer instanceof Readable) await pipeline(answer, response);
      else response.json(answer);
    };
    answered().then(undefined, next);
  };
}

describeMiddlewareConformance('Express 5', served(express));
describeMiddlewareConformance('Express 4', served(express4 as unknown as Make));

describe('with Express', () => {
  it('the last of two middlewares counts', async () => {
    const app = express();
    app.use(principalFromGateway({ required: false }));
    app.get('/outer', (_request, response) => void response.send(currentPrincipal()?.userId ?? 'nobody'));
    app.get('/inner', principalFrom({ judge: () => ({ userId: 'inner', authorities: [], kind: 'jwt' }) }), (request, response) => {
      request.on('end', () => response.send(currentPrincipal()?.userId));
      request.resume();
    });
    await using serving = await listening(createServer(app));
    expect((await ask(serving.port, { path: '/outer', headers: as('outer') })).text).toBe('outer');
    expect((await ask(serving.port, { path: '/inner', headers: as('outer') })).text).toBe('inner');
  });

  it('a short secret is refused at once', () => {
    expect(() => principalFromGateway({ secret: 'short' })).toThrow(expect.objectContaining({ code: 'config_invalid' }));
    expect(() => principalFromGateway({ callers: { orders: 'short' } })).toThrow(expect.objectContaining({ code: 'config_invalid' }));
    expect(() => principalFromGateway({ callers: { 'a b': 'x'.repeat(32) } })).toThrow(expect.objectContaining({ code: 'config_invalid' }));
  });
});
