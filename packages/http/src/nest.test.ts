import 'reflect-metadata';
import { EventEmitter } from 'node:events';
import { Readable } from 'node:stream';
import {
  Body,
  Controller,
  Get,
  HttpCode,
  Module,
  Post,
  Req,
  Res,
  StreamableFile,
  type CanActivate,
  type INestApplication,
  type NestInterceptor,
  type Type,
} from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import { map } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { encodeIdentity } from './identity-headers.ts';
import {
  AuthorityGuard,
  Authorities,
  CurrentPrincipal,
  ProblemFilter,
  principalFrom,
  principalFromGateway,
  type GatewayPrincipalOptions,
  type JudgedPrincipalOptions,
} from './nest.ts';
import type { Principal } from './principal.ts';
import { ask } from './testing/ask.ts';
import { whoIs } from './testing/looking-around.ts';
import { describeMiddlewareConformance } from './testing/middleware-conformance.ts';
import { listening, type Call, type Route, type Serve, type Serving } from './testing/middleware-fixture.ts';

type Method = (...values: never[]) => unknown;
type Platform = 'Express' | 'Fastify';

const as = (...authorities: string[]): Record<string, string> => ({ ...encodeIdentity({ userId: 'u', authorities, kind: 'jwt' }) });

/** A class as TypeScript would make it of source with decorators. */
function newClass(): Type {
  return class {
    readonly made = true;
  };
}

function controllerAt(prefix: string): Type {
  const made = newClass();
  Controller(prefix)(made);
  return made;
}

/** Adds a method to a controller with its decorators applied as functions, since these sources run without their syntax. */
function method(controller: Type, name: string, work: Method, decorators: MethodDecorator[], parameters: ParameterDecorator[] = []): void {
  Object.defineProperty(controller.prototype, name, { value: work, configurable: true, writable: true });
  for (const [index, decorate] of parameters.entries()) decorate(controller.prototype as object, name, index);
  const descriptor = Object.getOwnPropertyDescriptor(controller.prototype, name)!;
  for (const decorate of decorators) decorate(controller.prototype as object, name, descriptor);
}

async function create(
  platform: Platform,
  controllers: Type[],
  principal: GatewayPrincipalOptions | JudgedPrincipalOptions,
): Promise<INestApplication> {
  const Root = newClass();
  Module({ controllers })(Root);
  const quiet = { logger: false, forceCloseConnections: true } as const;
  const app: INestApplication =
    platform === 'Fastify'
      ? await NestFactory.create<NestFastifyApplication>(Root, new FastifyAdapter({ forceCloseConnections: true }), quiet)
      : await NestFactory.create(Root, quiet);
  if (platform === 'Fastify') {
    const { instance } = app.getHttpAdapter() as FastifyAdapter & { instance: ReturnType<FastifyAdapter['getInstance']> };
    instance.addContentTypeParser('application/octet-stream', (_request, payload, done) => done(null, payload));
  }
  app.use('judge' in principal ? principalFrom(principal) : principalFromGateway(principal));
  app.useGlobalGuards(new AuthorityGuard());
  app.useGlobalFilters(new ProblemFilter(app.getHttpAdapter()));
  return app;
}

async function started(app: INestApplication): Promise<Serving> {
  await app.listen(0, '127.0.0.1');
  return listening(app.getHttpServer() as never, () => app.close());
}

function controllerOf(prefix: string, routes: readonly Route[]): Type {
  const Routes = controllerAt(prefix);
  for (const [index, { path, work, method: verb }] of routes.entries()) {
    const answer = async (request: unknown, response: unknown, body: unknown): Promise<unknown> => {
      const found = await work({ request: rawOf(request), response: rawOf(response), body } as unknown as Call);
      if (found instanceof Readable) return new StreamableFile(found);
      return JSON.stringify(found);
    };
    method(
      Routes,
      `route${index}`,
      answer,
      [(verb === 'GET' ? Get : Post)(path), HttpCode(200)],
      [Req(), Res({ passthrough: true }), Body()],
    );
  }
  return Routes;
}

function rawOf(object: unknown): Call['response'] {
  return (object as { raw?: Call['response'] }).raw ?? (object as Call['response']);
}

const serveOn =
  (platform: Platform): Serve =>
  async ({ principal, routes }) => {
    const below = routes.filter(({ path }) => path.startsWith('/api/')).map((route) => ({ ...route, path: route.path.slice(4) }));
    const plain = routes.filter(({ path }) => !path.startsWith('/api/'));
    return started(await create(platform, [controllerOf('/', plain), controllerOf('/api', below)], principal));
  };

describe.each<Platform>(['Express', 'Fastify'])('Nest on %s', (platform) => {
  describeMiddlewareConformance(`Nest on ${platform}`, serveOn(platform));

  it('guards what the decorators name, of class and method together', async () => {
    const Plain = controllerAt('/plain');
    method(Plain, 'open', () => whoIs(), [Get('/open')]);
    method(Plain, 'write', () => 'written', [Get('/write'), Authorities('write')]);
    const Staff = controllerAt('/staff');
    Authorities('staff')(Staff);
    method(Staff, 'read', () => 'read', [Get('/read')]);
    method(Staff, 'write', () => 'written', [Get('/write'), Authorities('write', 'much')]);
    await using serving = await started(await create(platform, [Plain, Staff], { required: false }));
    const status = async (path: string, headers: Record<string, string>): Promise<number> =>
      (await ask(serving.port, { path, headers })).status;
    expect(await status('/plain/open', {})).toBe(200);
    expect(await status('/plain/write', {})).toBe(401);
    expect(await status('/plain/write', as('read'))).toBe(403);
    expect(await status('/plain/write', as('write'))).toBe(200);
    expect(await status('/staff/read', as('write'))).toBe(403);
    expect(await status('/staff/read', as('staff'))).toBe(200);
    expect(await status('/staff/write', as('staff', 'write'))).toBe(403);
    expect(await status('/staff/write', as('write', 'much'))).toBe(403);
    expect(await status('/staff/write', as('much', 'staff', 'write'))).toBe(200);
    const refused = await ask(serving.port, { path: '/staff/read', headers: as() });
    expect(JSON.parse(refused.text)).toMatchObject({ code: 'forbidden', detail: 'this needs the authority staff' });
  });

  it('hands the principal to parameters', async () => {
    const Me = controllerAt('/me');
    method(Me, 'one', (who: Principal) => who.userId, [Get('/needed')], [CurrentPrincipal()]);
    method(Me, 'other', (who?: Principal) => who?.userId ?? 'nobody', [Get('/optional')], [CurrentPrincipal({ optional: true })]);
    await using serving = await started(await create(platform, [Me], { required: false }));
    expect((await ask(serving.port, { path: '/me/needed', headers: as() })).text).toBe('u');
    const refused = await ask(serving.port, { path: '/me/needed' });
    expect([refused.status, refused.headers['www-authenticate']]).toEqual([401, 'Bearer']);
    expect((await ask(serving.port, { path: '/me/optional' })).text).toBe('nobody');
    expect((await ask(serving.port, { path: '/me/optional', headers: as() })).text).toBe('u');
  });

  it('guards, interceptors and their observables run with the principal, in their order', async () => {
    const seen: string[] = [];
    const emitter = new EventEmitter();
    emitter.on('handled', () => seen.push(`listener ${whoIs()}`));
    const Plain = controllerAt('/');
    const handle = (): string => {
      seen.push(`handler ${whoIs()}`);
      emitter.emit('handled');
      return 'x';
    };
    method(Plain, 'plain', handle, [Get('/')]);
    const app = await create(platform, [Plain], {});
    const guard: CanActivate = { canActivate: () => seen.push(`guard ${whoIs()}`) > 0 };
    const interceptor: NestInterceptor = {
      intercept: (_context, next) => {
        seen.push(`before ${whoIs()}`);
        return next.handle().pipe(map((value: unknown) => (seen.push(`after ${whoIs()}`), value)));
      },
    };
    app.useGlobalGuards(guard);
    app.useGlobalInterceptors(interceptor);
    await using serving = await started(app);
    await ask(serving.port, { path: '/', headers: as() });
    expect(seen).toEqual(['guard u', 'before u', 'handler u', 'listener u', 'after u']);
  });
});
