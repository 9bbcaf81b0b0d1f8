import { Agent } from 'node:http';
import { connect } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { describe, expect, it, vi } from 'vitest';
import { encodeIdentity } from '../identity-headers.ts';
import { ask } from './ask.ts';
import { LOOK, PARSED, endlessRoute, lateRoute, piecesRoute, whoIs } from './looking-around.ts';
import type { Route, Serve } from './middleware-fixture.ts';

const WHO: Route = { method: 'GET', path: '/who', work: () => whoIs() };
const as = (userId: string): Record<string, string> => ({ ...encodeIdentity({ userId, authorities: [], kind: 'jwt' }) });

/** The principal of one request is that of no other. */
export function describeIsolation(serve: Serve): void {
  describe('the principal of one request', () => {
    it('is seen by 200 requests at a time, each its own, through awaits, timers, emitters and streams', async () => {
      await using serving = await serve({ principal: {}, routes: [LOOK] });
      await Promise.all(
        Array.from({ length: 200 }, async (_, n) => {
          const { status, text } = await ask(serving.port, {
            method: 'POST',
            path: '/look',
            headers: { ...as(`user-${n}`), 'content-type': 'application/octet-stream' },
            body: slowly(3),
          });
          expect(status).toBe(200);
          const seen = JSON.parse(text) as string[];
          expect(seen.length).toBeGreaterThanOrEqual(14);
          expect(new Set(seen)).toEqual(new Set([`user-${n}`]));
        }),
      );
      expect(whoIs()).toBe('nobody');
    });

    it('is seen with every piece of a body that arrives while the route waits for it', async () => {
      let came = Promise.withResolvers<void>();
      await using serving = await serve({ principal: {}, routes: [piecesRoute(() => came.resolve())] });
      // The next piece leaves when the last one has arrived, so each comes straight from the connection.
      const body = async function* pieces(): AsyncGenerator<string> {
        for (const piece of ['a', 'b', 'c']) {
          came = Promise.withResolvers();
          yield piece;
          await came.promise;
        }
      };
      const headers = { ...as('u'), 'content-type': 'application/octet-stream' };
      const { text } = await ask(serving.port, { method: 'POST', path: '/pieces', headers, body: body() });
      expect(JSON.parse(text)).toEqual(['a u', 'b u', 'c u', 'end u']);
    });

    it('is kept behind a body parser', async () => {
      await using serving = await serve({ principal: {}, routes: [PARSED] });
      await Promise.all(
        Array.from({ length: 50 }, async (_, n) => {
          const body = Buffer.from(JSON.stringify({ n: `user-${n}`, pad: 'x'.repeat(60_000) }));
          const { text } = await ask(serving.port, {
            method: 'POST',
            path: '/parsed',
            headers: { ...as(`user-${n}`), 'content-type': 'application/json' },
            body: [body.subarray(0, 100), body.subarray(100)],
          });
          expect(JSON.parse(text)).toEqual([`user-${n}`, `user-${n}`, `user-${n}`]);
        }),
      );
    });

    it('does not pass to the next request on the same connection, pipelined', async () => {
      await using serving = await serve({ principal: { required: false }, routes: [WHO] });
      const lines = (headers: Record<string, string>): string =>
        Object.entries({ host: 'a', ...headers })
          .map(([name, value]) => `${name}: ${value}\r\n`)
          .join('');
      const request = (headers: Record<string, string>): string => `GET /who HTTP/1.1\r\n${lines(headers)}\r\n`;
      const socket = connect(serving.port, '127.0.0.1');
      // All three are on their way before the first is answered.
      socket.end(`${request(as('one'))}${request({})}${request({ ...as('two'), connection: 'close' })}`);
      let text = '';
      for await (const chunk of socket.setEncoding('utf8')) text += String(chunk);
      expect([...text.matchAll(/"(one|nobody|two)"/g)].map(([, who]) => who)).toEqual(['one', 'nobody', 'two']);
    });

    it('does not pass to the next request on the same connection, one after the other', async () => {
      const seen: string[] = [];
      const routes = [lateRoute((where, who) => seen.push(`${where} ${who}`))];
      await using serving = await serve({ principal: { required: false }, routes });
      const agent = new Agent({ keepAlive: true, maxSockets: 1 });
      const users = Array.from({ length: 20 }, (_, n) => (n % 3 === 2 ? 'nobody' : `user-${n}`));
      for (const user of users) {
        const { text } = await ask(serving.port, { path: '/after', headers: user === 'nobody' ? {} : as(user), agent });
        expect(text).toBe(JSON.stringify(user));
      }
      // Each of them ran after its request's end.
      const places = ['finish', 'timer', 'close', 'request'];
      await vi.waitFor(() => expect(seen).toHaveLength(users.length * places.length), { interval: 5 });
      expect(seen.toSorted()).toEqual(users.flatMap((user) => places.map((place) => `${place} ${user}`)).toSorted());
      agent.destroy();
    });

    it('is still known when the client has gone in the middle', async () => {
      const seen: string[] = [];
      await using serving = await serve({ principal: {}, routes: [endlessRoute((who) => seen.push(who)), WHO] });
      const gone = new AbortController();
      const answer = await fetch(`${serving.url}/endless`, { headers: as('fickle'), signal: gone.signal });
      expect(answer.status).toBe(200);
      gone.abort();
      await vi.waitFor(() => expect(seen).toEqual(['fickle']), { interval: 5 });
      expect((await ask(serving.port, { headers: as('next') })).text).toBe('"next"');
    });
  });
}

async function* slowly(parts: number): AsyncGenerator<string> {
  for (let part = 0; part < parts; part++) {
    await pause(Math.random() * 4);
    yield `part ${part}`;
  }
}
