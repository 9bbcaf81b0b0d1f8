import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { systemClock, type Clock } from '@wherry/core';
import { afterAll, beforeAll, expect, inject, it, vi } from 'vitest';
import { PATIENT_MS } from '@wherry/embedded/testing';
import { Workbench, newSession, raw } from './testing/workbench.ts';

/** A connection, what came on it, and whether it is closed. */
interface Opened {
  readonly socket: Socket;
  text(): string;
  closed(): boolean;
}

let bench: Workbench;
beforeAll(async () => {
  bench = await Workbench.create(inject('postgresUrl'));
});
afterAll(async () => bench[Symbol.asyncDispose]());

it('the pages for operators are on their own port where one is given, else beside the routes', async () => {
  const apart = await bench.gateway({ adminPort: 0 });
  const pages = `http://127.0.0.1:${apart.gateway.adminPort}`;
  expect(apart.gateway.adminPort).not.toBe(apart.gateway.port);
  expect((await fetch(`${pages}/livez`)).status).toBe(200);
  expect((await fetch(`${pages}/readyz`)).status).toBe(200);
  expect((await fetch(`${pages}/auth`)).status).toBe(404);
  expect((await fetch(`${apart.url}/metrics`)).status).toBe(404);
  const together = await bench.gateway();
  await fetch(`${together.url}/auth`);
  const page = await (await fetch(`${together.url}/metrics`)).text();
  expect(page).toContain('wherry_gateway_requests_total{kind="none",code="unauthenticated"} 1');
  expect(page).toContain('wherry_gateway_requests_total{kind="jwt",code="ok"} 0');
});

it('a token is never written to an answer, a metric or a log line', async () => {
  const lines: string[] = [];
  const note = (message: string, fields?: unknown): void => void lines.push(message + JSON.stringify(fields ?? {}));
  const log = { debug: note, info: note, warn: note, error: note, child: () => log };
  const { url, issue, page } = await bench.gateway({ log });
  const token = issue();
  for (const path of ['/auth', `/nowhere?x=${token}`, '/auth?access_token=x']) {
    const answer = await fetch(`${url}${path}`, { headers: { authorization: `Bearer ${token}x` } });
    expect((await answer.text()) + JSON.stringify([...answer.headers])).not.toContain(token.slice(-20));
  }
  expect((await page()) + lines.join('\n')).not.toContain(token.slice(-20));
});

it('a drain answers what is under way, closes its connection and takes nothing new', async () => {
  let release: () => void = () => undefined;
  const upstream = await bench.upstream((_request, response) => {
    response.write('begun ');
    release = () => response.end('done');
  });
  const { gateway, url } = await bench.gateway({ routes: [{ prefix: '/', upstream: upstream.url, auth: 'none' }], adminPort: 0 });
  const answer = await fetch(`${url}/slow`);
  const idle = connect(gateway.port, '127.0.0.1');
  await once(idle, 'connect');
  const ended = gateway.drain(AbortSignal.timeout(2 * PATIENT_MS));
  expect(await (await fetch(`http://127.0.0.1:${gateway.adminPort}/readyz`)).text()).toBe('draining\n');
  await expect(fetch(`${url}/new`)).rejects.toThrow();
  release();
  expect(await answer.text()).toBe('begun done');
  idle.destroy();
  await ended;
  await gateway.stop();
  await expect(raw(gateway.port, 'GET /livez HTTP/1.1\r\n\r\n')).resolves.toBe('');
});

it('a stop cuts what a drain could not end', async () => {
  const upstream = await bench.upstream((request) => request.resume());
  const { gateway, url } = await bench.gateway({ routes: [{ prefix: '/', upstream: upstream.url, auth: 'none' }] });
  const hanging = fetch(`${url}/never`);
  hanging.catch(() => undefined);
  await once(upstream.server, 'request');
  await gateway.drain(AbortSignal.abort());
  await gateway.stop();
  await expect(hanging).rejects.toThrow();
});

it('connections that wait too long are closed, busy ones are not', async () => {
  let answerNow: (() => void) | undefined;
  const upstream = await bench.upstream((_request, response) => {
    answerNow = () => response.end('late');
  });
  const { gateway } = await bench.gateway({ idleMs: 100, routes: [{ prefix: '/', upstream: upstream.url, auth: 'none' }] });
  const open = async (path: string): Promise<Opened> => {
    const socket = connect(gateway.port, '127.0.0.1');
    let text = '';
    let closed = false;
    socket.on('data', (chunk: Buffer) => (text += chunk.toString()));
    socket.on('close', () => (closed = true));
    socket.on('end', () => socket.end());
    await once(socket, 'connect');
    socket.write(`GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`);
    return { socket, text: () => text, closed: () => closed };
  };
  // Where the machine stands still between connecting and asking, the connection has waited too long already: once more.
  const openUntil = async (path: string, arrived: (opened: Opened) => boolean): Promise<Opened> => {
    const opened = await open(path);
    await vi.waitFor(() => expect(arrived(opened) || opened.closed()).toBe(true), { interval: 5 });
    return arrived(opened) ? opened : openUntil(path, arrived);
  };
  const busy = await openUntil('/slow', () => answerNow !== undefined);
  const idle = await openUntil('/auth', ({ text }) => text() !== '');
  await vi.waitFor(() => expect(idle.closed()).toBe(true));
  expect(idle.text()).toMatch(/^HTTP\/1.1 401 /);
  expect(busy.closed()).toBe(false);
  answerNow?.();
  await vi.waitFor(() => expect(busy.text()).toContain('late'));
  await vi.waitFor(() => expect(busy.closed()).toBe(true));
});

it('a client that is slow with its headers is let go', async () => {
  const { gateway } = await bench.gateway({ requestMs: 200 });
  const text = await raw(gateway.port, 'GET /auth HTTP/1.1\r\nHost: a\r\nX-Slow: ');
  expect(text).toMatch(/^(HTTP\/1.1 408 |$)/);
});

it('concurrent requests with one session token are one reading', async () => {
  const gateway = await bench.gateway();
  const { token } = await newSession(gateway);
  const headers = { authorization: `Bearer ${token}` };
  const answers = await Promise.all(Array.from({ length: 40 }, async () => (await fetch(`${gateway.url}/auth`, { headers })).status));
  expect(new Set(answers)).toEqual(new Set([200]));
  expect(await gateway.page()).toMatch(/wherry_gateway_memory_total\{memory="session",result="miss"\} 1\n/);
});

it('a token is answered while the control database is away, as long as its news are young, and then by its session', async () => {
  let ahead = 0;
  const clock: Clock = { now: systemClock.now, monotonic: () => systemClock.monotonic() + ahead };
  const gateway = await bench.gateway({ clock });
  const { key } = await newSession(gateway);
  const headers = { authorization: `Bearer ${gateway.issue({ sessionId: key.id })}` };
  const bare = { authorization: `Bearer ${gateway.issue()}` };
  const status = async (given: Record<string, string>): Promise<number> => (await fetch(`${gateway.url}/auth`, { headers: given })).status;
  await gateway.runtime.instance.stop();
  expect([await status(headers), await status(bare)]).toEqual([200, 200]);
  ahead = PATIENT_MS;
  expect(await status(bare)).toBe(503);
  expect(await status(headers)).toBe(200);
  await bench.control.query('SELECT 1');
  await gateway.runtime.target.end(key, Date.now());
  expect(await status(headers)).toBe(401);
});
