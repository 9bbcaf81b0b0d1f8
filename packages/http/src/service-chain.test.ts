import { createServer } from 'node:http';
import type { Clock } from '@wherry/core';
import express from 'express';
import fastify from 'fastify';
import fc from 'fast-check';
import Koa from 'koa';
import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { callKey } from './call-chain.ts';
import { principalFromGateway } from './express.ts';
import { principalFromGateway as fastifyPrincipal } from './fastify.ts';
import { encodeIdentity } from './identity-headers.ts';
import { identityReader } from './identity-reader.ts';
import { IdentitySigner } from './identity-signature.ts';
import { principalFromGateway as koaPrincipal } from './koa.ts';
import { currentCallers, currentPrincipal, runWithIdentity, runWithPrincipal } from './principal-context.ts';
import { propagatePrincipal } from './principal-propagation.ts';
import type { Principal } from './principal.ts';
import { ask } from './testing/ask.ts';
import { listening, type Serving } from './testing/middleware-fixture.ts';

const gateway = randomBytes(32);
const orders = randomBytes(32);
const billing = randomBytes(32);
const user: Principal = { userId: 'ü1', authorities: ['a', 'b'], kind: 'session', sessionId: '5', username: 'u' };
const identity = encodeIdentity(user);
const at = (now: number): Clock => ({ now: () => now, monotonic: () => now });
const refused = expect.objectContaining({ code: 'unauthenticated' });

const fromGateway = (userId: string): Record<string, string> => {
  const headers = encodeIdentity({ userId, authorities: [], kind: 'jwt' });
  return { ...headers, 'x-wherry-signature': new IdentitySigner({ secrets: [gateway] }).sign(headers) };
};

/** The last one: only billing may call it, not even the gateway. */
async function ledger(): Promise<Serving> {
  const app = new Koa();
  app.use(koaPrincipal({ callers: { billing: callKey(billing, { from: 'billing', to: 'ledger' }) } }));
  app.use((context) => {
    context.body = { user: currentPrincipal()?.userId, callers: currentCallers(), seen: context.headers };
  });
  const handle = app.callback();
  return listening(createServer((request, response) => void handle(request, response)));
}

async function billingBefore(next: Serving): Promise<Serving> {
  const app = fastify({ forceCloseConnections: true });
  const calls = propagatePrincipal({ service: 'billing', secret: billing, targets: { [next.url]: 'ledger' } });
  await app.register(fastifyPrincipal, { secret: gateway, callers: { orders: callKey(orders, { from: 'orders', to: 'billing' }) } });
  app.get('/bill', async (_request, reply) => {
    const answer = await calls.fetch(`${next.url}/book`);
    return reply.code(answer.status).send(await answer.text());
  });
  app.get('/received', async ({ headers }) => headers);
  await app.listen({ port: 0, host: '127.0.0.1' });
  return listening(app.server, () => app.close());
}

async function ordersBefore(next: Serving): Promise<Serving> {
  const app = express();
  const calls = propagatePrincipal({ service: 'orders', secret: orders, targets: { [next.url]: 'billing' } });
  app.use(principalFromGateway({ secret: gateway }));
  app.get('/{*path}', async (request, response) => {
    const answer = await calls.fetch(next.url + request.path);
    response.status(answer.status).send(await answer.text());
  });
  return listening(createServer(app));
}

describe('three services one behind the other', () => {
  it('know the user and on whose way he came, each request its own', async () => {
    await using last = await ledger();
    await using middle = await billingBefore(last);
    await using first = await ordersBefore(middle);
    await Promise.all(
      Array.from({ length: 40 }, async (_, n) => {
        const { status, text } = await ask(first.port, { path: '/bill', headers: fromGateway(`user ${n}`) });
        expect(status).toBe(200);
        expect(JSON.parse(text)).toMatchObject({ user: `user ${n}`, callers: ['orders', 'billing'] });
      }),
    );
    // Straight from the gateway the same route has no caller before itself.
    const direct = await ask(middle.port, { path: '/bill', headers: fromGateway('u') });
    expect(JSON.parse(direct.text)).toMatchObject({ user: 'u', callers: ['billing'] });
  });

  it('keep the moment at which the gateway named the user', async () => {
    await using last = await ledger();
    await using middle = await billingBefore(last);
    await using first = await ordersBefore(middle);
    const headers = fromGateway('u');
    const { text } = await ask(first.port, { path: '/bill', headers });
    const { seen } = JSON.parse(text) as { seen: Record<string, string> };
    expect(seen['x-wherry-proved-at']).toBe(headers['x-wherry-signature']?.split(',')[1]);
  });

  it('refuse what was signed for another one, and what the gateway signed where it is no caller', async () => {
    await using last = await ledger();
    await using middle = await billingBefore(last);
    await using first = await ordersBefore(middle);
    expect((await ask(last.port, { headers: fromGateway('u') })).status).toBe(401);
    // What billing received it cannot pass on as it came: it was signed for billing.
    const received = JSON.parse((await ask(first.port, { path: '/received', headers: fromGateway('u') })).text) as Record<string, string>;
    const stolen = Object.fromEntries(Object.entries(received).filter(([name]) => name.startsWith('x-wherry-')));
    expect(stolen).toHaveProperty('x-wherry-callers', 'orders');
    expect((await ask(middle.port, { path: '/received', headers: stolen })).status).toBe(200);
    expect((await ask(last.port, { headers: stolen })).status).toBe(401);
    expect((await ask(last.port, { headers: { ...stolen, 'x-wherry-callers': 'billing' } })).status).toBe(401);
  });

  it('end a circle with 508', async () => {
    let own = '';
    const app = express();
    app.use(principalFromGateway({ callers: { circle: callKey(orders, { from: 'circle', to: 'circle' }) }, secret: gateway }));
    let calls = 0;
    app.get('/', async (_request, response, next) => {
      calls++;
      const { fetch } = propagatePrincipal({ service: 'circle', secret: orders, targets: { [own]: 'circle' } });
      await fetch(own).then(async (answer) => response.status(answer.status).send(await answer.text()), next);
    });
    app.use((error: { code: string; status: number }, _request: unknown, response: express.Response, _next: unknown) => {
      response.status(error.status).send(error.code);
    });
    await using serving = await listening(createServer(app));
    own = serving.url;
    const { status, text } = await ask(serving.port, { path: '/', headers: fromGateway('u') });
    expect([status, text, calls]).toEqual([508, 'call_chain_too_deep', 9]);
  });
});

describe('a call signed by a service', () => {
  const now = 1_800_000_000_000;
  const keyOf = (from: string, to: string, own = orders): string => callKey(own, { from, to });
  const signedAt = (time: number, provedAt = time, callers: string[] = []): Record<string, string> => {
    const calls = propagatePrincipal({ service: 'orders', secret: orders, targets: { 'http://billing': 'billing' }, clock: at(time) });
    return { ...runWithIdentity({ principal: user, callers, provedAt }, () => calls.headersFor('http://billing/')) };
  };
  const reads =
    (headers: Record<string, string | undefined>, callers = { orders: keyOf('orders', 'billing') }, time = now) =>
    () =>
      identityReader({ secret: gateway, callers, clock: at(time) })(headers);

  it('is accepted for 30 seconds', () => {
    for (const age of [0, 30_000, -30_000]) {
      expect(reads(signedAt(now - age))()).toEqual({ principal: user, callers: ['orders'], provedAt: now - age });
    }
    for (const age of [30_001, -30_001]) expect(reads(signedAt(now - age))).toThrow(refused);
  });

  it('carries a user whom the gateway named up to 15 minutes ago', () => {
    expect(reads(signedAt(now, now - 15 * 60_000))).not.toThrow();
    // Signed by a service that does not look at the time.
    const late = signedAt(now - 10_000, now - 15 * 60_000 - 5000);
    expect(reads(late)).toThrow(refused);
  });

  it('does not stand any change', () => {
    const headers = signedAt(now, now - 1000, ['web']);
    expect(reads(headers)()).toMatchObject({ callers: ['web', 'orders'] });
    const names = [...Object.keys(headers), 'x-wherry-client'];
    fc.assert(
      fc.property(fc.constantFrom(...names), fc.stringMatching(/^[a-z0-9,%]{0,12}$/), (name, value) => {
        fc.pre(headers[name] !== value);
        expect(reads({ ...headers, [name]: value })).toThrow(refused);
      }),
      { numRuns: 500 },
    );
    for (const name of Object.keys(headers)) expect(reads({ ...headers, [name]: undefined })).toThrow(refused);
    for (const callers of ['orders', 'orders,web', 'web', 'web,web,orders', 'web, orders', ',orders', 'web,orders,', 'WEB,orders']) {
      expect(reads({ ...headers, 'x-wherry-callers': callers })).toThrow(refused);
    }
    for (const provedAt of ['1800000000000', '0', '1e12', '-1', `${now - 1000}, ${now - 1000}`]) {
      expect(reads({ ...headers, 'x-wherry-proved-at': provedAt })).toThrow(refused);
    }
  });

  it('counts under the key of its caller for this service only', () => {
    const headers = signedAt(now);
    for (const callers of [
      { orders: keyOf('orders', 'ledger') },
      { orders: keyOf('billing', 'orders') },
      { orders: keyOf('orders', 'billing', billing) },
      { orders: orders.toString('base64url') },
      { other: keyOf('orders', 'billing') },
      {},
    ]) {
      expect(reads(headers, callers as { orders: string })).toThrow(refused);
    }
    expect(reads(headers, { orders: [randomBytes(32), keyOf('orders', 'billing')] } as never)).not.toThrow();
  });

  it('and one signed by the gateway are never taken for each other', () => {
    const key = keyOf('orders', 'billing');
    const asGateway = new IdentitySigner({ secrets: [key], clock: at(now) }).sign(identity);
    expect(reads({ ...identity, 'x-wherry-signature': asGateway })).toThrow(refused);
    const chain = { 'x-wherry-callers': 'orders', 'x-wherry-proved-at': String(now) };
    expect(reads({ ...identity, ...chain, 'x-wherry-signature': asGateway })).toThrow(refused);
    // The very same bytes as key for both: the version keeps them apart.
    const both = identityReader({ secret: key, callers: { orders: key }, clock: at(now) });
    const { 'x-wherry-callers': _callers, 'x-wherry-proved-at': _provedAt, ...bare } = signedAt(now);
    expect(() => both(bare)).toThrow(refused);
    expect(() => both({ ...identity, ...chain, 'x-wherry-signature': asGateway })).toThrow(refused);
  });

  it('is refused where services are not listed, and the gateway where only they are', () => {
    expect(() => identityReader({ secret: gateway, clock: at(now) })(signedAt(now))).toThrow(refused);
    const headers = { ...identity, 'x-wherry-signature': new IdentitySigner({ secrets: [gateway], clock: at(now) }).sign(identity) };
    expect(() => identityReader({ callers: { orders: keyOf('orders', 'billing') }, clock: at(now) })(headers)).toThrow(refused);
    expect(() => identityReader({ callers: {}, clock: at(now) })(identity)).toThrow(refused);
    expect(identityReader({ clock: at(now) })(signedAt(now))).toMatchObject({ callers: ['orders'] });
  });

  it('has a key that others can compute', () => {
    // openssl kdf -keylen 32 -kdfopt digest:SHA256 -kdfopt key:… -kdfopt info:'wherry call orders billing' HKDF
    expect(callKey('orders-secret-of-at-least-32-bytes!!', { from: 'orders', to: 'billing' })).toBe(
      'eUdLd9pM0eHyB-_Gnud3208libX1Bxgo7xR79GpoIVg',
    );
    expect(() => callKey('short', { from: 'a', to: 'b' })).toThrow(expect.objectContaining({ code: 'config_invalid' }));
    expect(() => callKey(orders, { from: 'a b', to: 'c' })).toThrow(expect.objectContaining({ code: 'config_invalid' }));
  });

  it('tells of the user whom the application named itself as of now', () => {
    const calls = propagatePrincipal({ service: 'orders', secret: orders, targets: { 'http://billing': 'billing' }, clock: at(now) });
    const headers = runWithPrincipal(user, () => calls.headersFor('http://billing'));
    expect(reads({ ...headers })()).toEqual({ principal: user, callers: ['orders'], provedAt: now });
  });
});
