import { WherryError } from '@wherry/core';
import express, { type Express } from 'express';
import { randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setImmediate as turn, setTimeout as pause } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { principalFromGateway, problemHandler } from './express.ts';
import { encodeIdentity } from './identity-headers.ts';
import { IdentitySigner } from './identity-signature.ts';
import { currentPrincipal, requireAuthority, requirePrincipal, runWithPrincipal } from './principal-context.ts';

type Serving = AsyncDisposable & { readonly port: number; readonly url: string };

async function serve(app: Express): Promise<Serving> {
  const server = createServer(app);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    port,
    url: `http://127.0.0.1:${port}`,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

const as = (userId: string, authorities: readonly string[] = []): Record<string, string> => ({
  ...encodeIdentity({ userId, authorities, kind: 'jwt', sessionId: '5' }),
});
const whoIs = (): string => currentPrincipal()?.userId ?? 'nobody';

describe('principalFromGateway', () => {
  it('gives routes the principal', async () => {
    const app = express();
    app.use(principalFromGateway());
    app.get('/me', (_request, response) => void response.json(requirePrincipal()));
    await using serving = await serve(app);
    const answer = await fetch(`${serving.url}/me`, { headers: as('ü1', ['ROLE_A,B']) });
    expect(await answer.json()).toEqual({ userId: 'ü1', authorities: ['ROLE_A,B'], kind: 'jwt', sessionId: '5' });
  });

  it('answers 401 as a problem to nobody, or lets nobody pass where that is allowed', async () => {
    const app = express();
    app.get('/open', principalFromGateway({ required: false }), (_request, response) => void response.send(whoIs()));
    app.get('/shut', principalFromGateway(), (_request, response) => void response.send(whoIs()));
    await using serving = await serve(app);
    const shut = await fetch(`${serving.url}/shut`);
    expect(shut.status).toBe(401);
    expect(shut.headers.get('content-type')).toBe('application/problem+json');
    expect(shut.headers.get('www-authenticate')).toBe('Bearer');
    expect(await shut.json()).toMatchObject({ code: 'unauthenticated' });
    expect(await (await fetch(`${serving.url}/open`)).text()).toBe('nobody');
    // Broken headers are never taken for none.
    expect((await fetch(`${serving.url}/open`, { headers: { 'x-wherry-user-id': '1' } })).status).toBe(401);
  });

  it('believes signed headers only where a secret is shared', async () => {
    const secret = randomBytes(32);
    const app = express();
    app.use(principalFromGateway({ secret: ['r'.repeat(32), secret], required: false }));
    app.get('/me', (_request, response) => void response.send(whoIs()));
    await using serving = await serve(app);
    const headers = as('7');
    const signature = new IdentitySigner({ secrets: [secret] }).sign(headers);
    const status = async (sent: Record<string, string>): Promise<number> => (await fetch(`${serving.url}/me`, { headers: sent })).status;
    expect(await status({ ...headers, 'x-wherry-signature': signature })).toBe(200);
    expect(await status(headers)).toBe(401);
    expect(await status({ ...headers, 'x-wherry-user-id': '8', 'x-wherry-signature': signature })).toBe(401);
    expect(await status({ ...headers, 'x-wherry-authorities': 'ADMIN', 'x-wherry-signature': signature })).toBe(401);
    expect(await status({})).toBe(200);
    expect(() => principalFromGateway({ secret: 'short' })).toThrow(expect.objectContaining({ code: 'config_invalid' }));
  });

  it('hides what is not ours and turns what is into problems', async () => {
    const app = express();
    app.use(principalFromGateway());
    app.get('/admin', () => void requireAuthority('ROLE_ADMIN', 'write'));
    app.get('/late', async () => {
      await turn();
      throw new WherryError('conflict', 'somebody was faster');
    });
    app.get('/foreign', () => {
      throw new Error('not ours');
    });
    app.use(problemHandler());
    app.use(
      (error: Error, _request: express.Request, response: express.Response, _next: express.NextFunction) =>
        void response.status(418).send(error.message),
    );
    await using serving = await serve(app);
    const get = async (path: string, authorities: string[]): Promise<[number, string]> => {
      const answer = await fetch(`${serving.url}${path}`, { headers: as('1', authorities) });
      return [answer.status, await answer.text()];
    };
    const [status, body] = await get('/admin', ['ROLE_ADMIN']);
    expect(status).toBe(403);
    expect(JSON.parse(body)).toMatchObject({ code: 'forbidden', detail: 'this needs the authority write' });
    expect((await get('/late', []))[0]).toBe(409);
    expect(await get('/foreign', [])).toEqual([418, 'not ours']);
  });
});

describe('the principal of one request', () => {
  /** Looks who is calling at every kind of place where a request can wait. */
  function lookingApp(): Express {
    const app = express();
    app.use(principalFromGateway());
    app.post('/parsed', express.json(), (request, response, next) => {
      turn().then(() => response.json([whoIs(), (request.body as { n: string }).n]), next);
    });
    app.post('/look', (request, response, next) => {
      look(request, response).then(undefined, next);
    });
    return app;
  }

  async function look(request: express.Request, response: express.Response): Promise<void> {
    const seen = [whoIs()];
    await Promise.resolve();
    seen.push(whoIs());
    await new Promise<void>((resolve) => {
      setTimeout(() => {
        seen.push(whoIs());
        process.nextTick(() => {
          seen.push(whoIs());
          queueMicrotask(() => {
            seen.push(whoIs());
            resolve();
          });
        });
      }, Math.random() * 4);
    });
    await new Promise<void>((resolve) => {
      request.on('data', () => seen.push(whoIs()));
      request.on('end', () => {
        seen.push(whoIs());
        resolve();
      });
    });
    await pause(Math.random() * 4);
    seen.push(whoIs());
    const answer = Readable.from(
      (async function* parts() {
        for (let round = 0; round < 3; round++) {
          await turn();
          seen.push(whoIs());
          yield ' ';
        }
        yield JSON.stringify(seen);
      })(),
    );
    await pipeline(answer, response);
  }

  it('is seen by 200 requests at a time, each its own, through awaits, timers and streams', async () => {
    await using serving = await serve(lookingApp());
    const results = await Promise.all(
      Array.from({ length: 200 }, async (_, n) => {
        const body = Readable.from(
          (async function* slow() {
            for (let part = 0; part < 3; part++) {
              await pause(Math.random() * 4);
              yield Buffer.from(`part ${part}`);
            }
          })(),
        );
        const answer = await fetch(`${serving.url}/look`, { method: 'POST', headers: as(`user-${n}`), body, duplex: 'half' });
        return { n, seen: (await answer.json()) as string[] };
      }),
    );
    for (const { n, seen } of results) {
      expect(seen.length).toBeGreaterThanOrEqual(10);
      expect(new Set(seen)).toEqual(new Set([`user-${n}`]));
    }
    expect(whoIs()).toBe('nobody');
  });

  it('does not pass to the next request on the same connection', async () => {
    const finished: string[] = [];
    const app = express();
    app.use(principalFromGateway({ required: false }));
    app.get('/', (_request, response) => {
      response.on('finish', () => finished.push(whoIs()));
      response.send(whoIs());
    });
    await using serving = await serve(app);
    const socket = connect(serving.port, '127.0.0.1');
    const ask = (headers: Record<string, string>): string =>
      `GET / HTTP/1.1\r\nHost: a\r\n${Object.entries(headers)
        .map(([name, value]) => `${name}: ${value}\r\n`)
        .join('')}`;
    // Pipelined: all three are on their way before the first is answered.
    socket.end(`${ask(as('one'))}\r\n${ask({})}\r\n${ask(as('two'))}Connection: close\r\n\r\n`);
    let text = '';
    for await (const chunk of socket.setEncoding('utf8')) text += String(chunk);
    expect([...text.matchAll(/\r\n\r\n(one|nobody|two)/g)].map(([, who]) => who)).toEqual(['one', 'nobody', 'two']);
    expect(finished).toEqual(['one', 'nobody', 'two']);
  });

  it('is kept behind a body parser', async () => {
    await using serving = await serve(lookingApp());
    const answers = await Promise.all(
      Array.from({ length: 50 }, async (_, n) => {
        const headers = { ...as(`user-${n}`), 'content-type': 'application/json' };
        const answer = await fetch(`${serving.url}/parsed`, {
          method: 'POST',
          headers,
          body: JSON.stringify({ n: `user-${n}`, pad: 'x'.repeat(60_000) }),
        });
        return (await answer.json()) as [string, string];
      }),
    );
    for (const [who, n] of answers) expect(who).toBe(n);
  });

  it('nests: an inner principal ends with its work', () => {
    const outer = { userId: 'o', authorities: [], kind: 'jwt' } as const;
    runWithPrincipal(outer, () => {
      expect(runWithPrincipal({ ...outer, userId: 'i' }, whoIs)).toBe('i');
      expect(runWithPrincipal(undefined, whoIs)).toBe('nobody');
      expect(() => runWithPrincipal(undefined, requirePrincipal)).toThrow(expect.objectContaining({ code: 'unauthenticated' }));
      expect(whoIs()).toBe('o');
    });
  });
});
