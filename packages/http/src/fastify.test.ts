import { AsyncLocalStorage } from 'node:async_hooks';
import { PassThrough, Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import fastify, { type FastifyInstance } from 'fastify';
import fastifyPlugin from 'fastify-plugin';
import { describe, expect, it } from 'vitest';
import { principalFrom, principalFromGateway, problemHandler } from './fastify.ts';
import { encodeIdentity } from './identity-headers.ts';
import { requirePrincipal } from './principal-context.ts';
import { ask } from './testing/ask.ts';
import { whoIs } from './testing/looking-around.ts';
import { describeMiddlewareConformance } from './testing/middleware-conformance.ts';
import { listening, type Route, type Serve, type Serving } from './testing/middleware-fixture.ts';

const as = (userId: string): Record<string, string> => ({ ...encodeIdentity({ userId, authorities: [], kind: 'jwt' }) });

const serve: Serve = async ({ principal, routes }) => {
  const app = fastify({ forceCloseConnections: true });
  app.setErrorHandler(problemHandler());
  if ('judge' in principal) await app.register(principalFrom, principal);
  else await app.register(principalFromGateway, principal);
  app.addContentTypeParser('application/octet-stream', (_request, payload, done) => done(null, payload));
  for (const route of routes.filter(({ path }) => !path.startsWith('/api/'))) mount(app, route.path, route);
  await app.register(
    async (scope) => {
      for (const route of routes.filter(({ path }) => path.startsWith('/api/'))) mount(scope, route.path.slice(4), route);
    },
    { prefix: '/api' },
  );
  return started(app);
};

function mount(app: FastifyInstance, url: string, { method, work }: Route): void {
  app.route({
    method,
    url,
    handler: async (request, reply) => {
      const answer = await work({ request: request.raw, response: reply.raw, body: request.body });
      if (answer instanceof Readable) return reply.send(answer);
      return reply.type('application/json').send(JSON.stringify(answer));
    },
  });
}

async function started(app: FastifyInstance): Promise<Serving> {
  await app.listen({ port: 0, host: '127.0.0.1' });
  return listening(app.server, () => app.close());
}

describeMiddlewareConformance('Fastify', serve);

describe('with Fastify', () => {
  it('every hook behind the plugin runs with the principal, in its order, and none before it', async () => {
    const seen: string[] = [];
    const app = fastify({ forceCloseConnections: true });
    const responded = Promise.withResolvers<void>();
    app.addHook('onRequest', async () => void seen.push(`before ${whoIs()}`));
    await app.register(principalFromGateway, {});
    for (const hook of ['onRequest', 'preParsing', 'preValidation', 'preHandler', 'preSerialization', 'onSend'] as const) {
      app.addHook(hook as 'onRequest', async () => void seen.push(`${hook} ${whoIs()}`));
    }
    app.addHook('onResponse', async () => {
      seen.push(`onResponse ${whoIs()}`);
      responded.resolve();
    });
    app.post('/', async () => {
      seen.push(`handler ${whoIs()}`);
      return {};
    });
    await using serving = await started(app);
    const headers = { ...as('u'), 'content-type': 'application/json' };
    await ask(serving.port, { method: 'POST', path: '/', headers, body: ['{"a":', '1}'] });
    await responded.promise;
    const all = ['onRequest', 'preParsing', 'preValidation', 'preHandler', 'handler', 'preSerialization', 'onSend', 'onResponse'];
    expect(seen).toEqual(['before nobody', ...all.map((hook) => `${hook} u`)]);
  });

  it('the principal is kept where a hook puts another stream in the place of the body', async () => {
    const app = fastify({ forceCloseConnections: true });
    // As a pool of workers would, that hands on what it has done from its own context.
    const outside = AsyncLocalStorage.snapshot();
    await app.register(principalFromGateway, {});
    app.addHook('preParsing', async (_request, _reply, payload) => {
      const to = new PassThrough();
      const whole = await buffer(payload);
      setImmediate(() => outside(() => to.end(whole)));
      return to;
    });
    app.post('/', async () => whoIs());
    await using serving = await started(app);
    const headers = { ...as('u'), 'content-type': 'application/json' };
    expect((await ask(serving.port, { method: 'POST', path: '/', headers, body: ['{}'] })).text).toBe('u');
  });

  it('a scope may need a principal where the rest does not', async () => {
    const app = fastify({ forceCloseConnections: true });
    await app.register(async (scope) => {
      await scope.register(principalFromGateway, { required: false });
      scope.get('/open', async () => whoIs());
    });
    await app.register(async (scope) => {
      await scope.register(principalFromGateway, {});
      scope.get('/shut', async () => whoIs());
    });
    app.get('/bare', async () => whoIs());
    await using serving = await started(app);
    expect((await ask(serving.port, { path: '/open' })).text).toBe('nobody');
    expect((await ask(serving.port, { path: '/open', headers: as('u') })).text).toBe('u');
    expect((await ask(serving.port, { path: '/shut' })).status).toBe(401);
    expect((await ask(serving.port, { path: '/bare', headers: as('u') })).text).toBe('nobody');
  });

  it('an error handler that was set before gets what is not ours', async () => {
    const app = fastify({ forceCloseConnections: true });
    app.setErrorHandler((_error, _request, reply) => reply.code(418).send('mine'));
    await app.register(principalFromGateway, { required: false });
    await app.register(async (scope) => {
      scope.setErrorHandler(problemHandler());
      scope.get('/ours', async () => requirePrincipal());
      scope.get('/foreign', async () => {
        throw new Error('x');
      });
    });
    await using serving = await started(app);
    expect((await ask(serving.port, { path: '/ours' })).headers['content-type']).toBe('application/problem+json');
    const foreign = await ask(serving.port, { path: '/foreign' });
    expect([foreign.status, foreign.text]).toEqual([418, 'mine']);
  });

  it('the plugin bears the marks of fastify-plugin, and a wrong option stops the start', async () => {
    const marked = fastifyPlugin(() => undefined, { name: 'wherry-principal-from-gateway', fastify: '5.x' });
    for (const mark of ['skip-override', 'fastify.display-name', 'plugin-meta'].map((name) => Symbol.for(name))) {
      expect((principalFromGateway as never)[mark]).toEqual((marked as never)[mark]);
    }
    const app = fastify();
    app.register(principalFromGateway, { secret: 'short' });
    await expect(app.ready()).rejects.toMatchObject({ code: 'config_invalid' });
  });
});
