import { createServer } from 'node:http';
import { Readable } from 'node:stream';
import { json } from 'node:stream/consumers';
import { setImmediate as turn } from 'node:timers/promises';
import Koa, { type Middleware } from 'koa';
import { describe, expect, it } from 'vitest';
import { WherryError } from '@wherry/core';
import { encodeIdentity } from './identity-headers.ts';
import { principalFrom, principalFromGateway, problemHandler } from './koa.ts';
import { ask } from './testing/ask.ts';
import { whoIs } from './testing/looking-around.ts';
import { describeMiddlewareConformance } from './testing/middleware-conformance.ts';
import { listening, type Route, type Serve, type Serving } from './testing/middleware-fixture.ts';

const as = (userId: string): Record<string, string> => ({ ...encodeIdentity({ userId, authorities: [], kind: 'jwt' }) });

const serve: Serve = async ({ principal, routes }) => {
  const app = new Koa();
  // It writes every fault to the console otherwise.
  app.silent = true;
  app.use(problemHandler());
  app.use('judge' in principal ? principalFrom(principal) : principalFromGateway(principal));
  app.use(async (context, next) => {
    if (context.is('application/json')) context.state['body'] = await json(context.req);
    await next();
  });
  app.use(router(routes.filter(({ path }) => !path.startsWith('/api/'))));
  app.use(below('/api', router(routes.filter(({ path }) => path.startsWith('/api/')))));
  return started(app);
};

function router(routes: readonly Route[]): Middleware {
  return async (context, next) => {
    const route = routes.find(({ method, path }) => method === context.method && path === context.originalUrl);
    if (route === undefined) {
      await next();
      return;
    }
    const answer = await route.work({ request: context.req, response: context.res, body: context.state['body'] as unknown });
    if (!(answer instanceof Readable)) context.type = 'application/json';
    context.body = answer instanceof Readable ? answer : JSON.stringify(answer);
  };
}

function below(prefix: string, middleware: Middleware): Middleware {
  return async (context, next) => {
    if (!context.path.startsWith(`${prefix}/`)) {
      await next();
      return;
    }
    context.path = context.path.slice(prefix.length);
    await middleware(context, next);
  };
}

function started(app: Koa): Promise<Serving> {
  const handle = app.callback();
  return listening(createServer((request, response) => void handle(request, response)));
}

describeMiddlewareConformance('Koa', serve);

describe('with Koa', () => {
  it("what stands around the middleware runs on nobody's behalf, what is below it with the principal", async () => {
    const seen: string[] = [];
    const app = new Koa();
    app.use(async (_context, next) => {
      seen.push(`outer in ${whoIs()}`);
      await next();
      seen.push(`outer out ${whoIs()}`);
    });
    app.use(principalFromGateway());
    app.use(async (context, next) => {
      seen.push(`inner in ${whoIs()}`);
      await next();
      seen.push(`inner out ${whoIs()}`);
      context.body = 'x';
    });
    await using serving = await started(app);
    await ask(serving.port, { headers: as('u') });
    expect(seen).toEqual(['outer in nobody', 'inner in u', 'inner out u', 'outer out nobody']);
  });

  it.each<[string, () => unknown]>([
    ['a stream of Node', () => Readable.from(parts())],
    ['a web stream', () => ReadableStream.from(parts())],
    ['a Response', () => new Response(ReadableStream.from(parts()))],
  ])('keeps the principal in a body that is %s', async (_what, body) => {
    const app = new Koa();
    app.use(principalFromGateway());
    app.use((context) => {
      context.body = body();
    });
    await using serving = await started(app);
    await Promise.all(
      Array.from({ length: 20 }, async (_, n) => {
        const { text } = await ask(serving.port, { headers: as(`u${n}`) });
        expect(text).toBe(`u${n} `.repeat(4));
      }),
    );
  });

  it('tells the application of faults that it answers as problems, and not of refusals', async () => {
    const told: unknown[] = [];
    const app = new Koa();
    app.on('error', (error) => told.push(error));
    app.use(problemHandler());
    app.use(principalFromGateway());
    const fault = new WherryError('control_unavailable', 'away');
    app.use(({ path }) => {
      throw path === '/fault' ? fault : new WherryError('forbidden', 'no');
    });
    await using serving = await started(app);
    expect((await ask(serving.port, { path: '/fault', headers: as('u') })).status).toBe(503);
    expect((await ask(serving.port, { path: '/refusal', headers: as('u') })).status).toBe(403);
    expect(told).toEqual([fault]);
  });
});

async function* parts(): AsyncGenerator<Buffer> {
  for (let round = 0; round < 4; round++) {
    await turn();
    yield Buffer.from(`${whoIs()} `);
  }
}
