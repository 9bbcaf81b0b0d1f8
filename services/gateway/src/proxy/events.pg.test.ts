import { once } from 'node:events';
import { request as httpRequest, type ClientRequest, type IncomingMessage, type ServerResponse } from 'node:http';
import { PATIENT_MS } from '@wherry/embedded/testing';
import { afterAll, beforeAll, expect, inject, it, vi } from 'vitest';
import { Workbench, newSession, type RunningGateway } from '../testing/workbench.ts';

let bench: Workbench;
let running: RunningGateway;
/** Streams at the upstream, by path. */
const streams = new Map<string, { readonly request: IncomingMessage; readonly response: ServerResponse }>();

beforeAll(async () => {
  bench = await Workbench.create(inject('postgresUrl'));
  const { url } = await bench.upstream((request, response) => {
    streams.set(request.url ?? '', { request, response });
    if (request.url?.startsWith('/wait') === true) return;
    response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-cache', 'x-accel-buffering': 'no' });
    response.write(': hello\n\n');
  });
  running = await bench.gateway({
    routes: [
      { prefix: '/', upstream: url },
      { prefix: '/public', upstream: url, auth: 'none' },
    ],
    // All the limits that a stream could fall under are as short as they can be.
    proxy: { lookAgainMs: 25, unknownMs: 0, responseMs: PATIENT_MS },
    requestMs: 1000,
    idleMs: 50,
  });
});
afterAll(async () => bench[Symbol.asyncDispose]());

interface Stream {
  readonly request: ClientRequest;
  readonly response: IncomingMessage;
  got(): string;
  /** Resolves to whether it was cut rather than ended. */
  readonly over: Promise<boolean>;
}

async function open(path: string, headers: Record<string, string> = {}): Promise<Stream> {
  // On a connection of its own: one that has just become idle may be closed while it is taken again.
  const request = httpRequest(`${running.url}${path}`, { headers, agent: false }).end();
  const [response] = (await once(request, 'response')) as [IncomingMessage];
  let text = '';
  response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
  const over = new Promise<boolean>((resolve) => {
    response.on('error', () => undefined);
    response.once('close', () => resolve(!response.complete));
  });
  await vi.waitFor(() => expect(text).toContain('hello'));
  return { request, response, got: () => text, over };
}

const bearer = (token: string): Record<string, string> => ({ authorization: `Bearer ${token}` });

it('an event arrives when it happens, however long the stream was silent, and what the client knows goes up', async () => {
  const stream = await open('/public/a', { 'last-event-id': '41', accept: 'text/event-stream' });
  expect(streams.get('/public/a')!.request.headers).toMatchObject({ 'last-event-id': '41', accept: 'text/event-stream' });
  expect(stream.response.headers).toMatchObject({ 'content-type': 'text/event-stream', 'x-accel-buffering': 'no' });
  // Longer than every limit on connections, by the same clock: another connection that only waits has been closed meanwhile.
  const idle = httpRequest(`${running.url}/public/b`, { agent: false }).end();
  const [other] = (await once(idle, 'response')) as [IncomingMessage];
  streams.get('/public/b')!.response.end();
  await once(other.resume(), 'close');
  for (const event of ['one', 'two']) {
    streams.get('/public/a')!.response.write(`id: ${event}\ndata: ${event}\n\n`);
    await vi.waitFor(() => expect(stream.got()).toContain(`data: ${event}`));
  }
  stream.request.destroy();
});

it('a client that leaves ends the stream at the upstream', async () => {
  const stream = await open('/public/leave');
  const closed = once(streams.get('/public/leave')!.response, 'close');
  stream.request.destroy();
  await closed;
  await vi.waitFor(async () => expect(await running.page()).toContain('wherry_gateway_upstream_total{prefix="/public",result="aborted"}'));
});

it('a log-out cuts the streams of that user, on both sides, and not those of others', async () => {
  const ann = await newSession(running, { userId: 'ann' });
  const byToken = await open('/ann1', bearer(ann.token));
  const byJwt = await open('/ann2', bearer(running.issue({ userId: 'ann', sessionId: ann.key.id })));
  const bob = await open('/bob', bearer(running.issue({ userId: 'bob' })));
  const upstream = ['/ann1', '/ann2'].map(async (path) => once(streams.get(path)!.response, 'close'));
  await running.runtime.revocations.endSession({ slot: ann.key.slot, id: ann.key.id, digest: ann.key.digest, reason: 'logout' });
  expect(await Promise.all([byToken.over, byJwt.over])).toEqual([true, true]);
  await Promise.all(upstream);
  streams.get('/bob')!.response.end('data: last\n\n');
  expect(await bob.over).toBe(false);
  expect(bob.got()).toContain('last');
});

it('a request that waits for its answer when its user is logged out is finished: it may be the log-out', async () => {
  const token = running.issue({ userId: 'wim' });
  const waiting = fetch(`${running.url}/wait`, { headers: bearer(token) });
  await vi.waitFor(() => expect(streams.has('/wait')).toBe(true));
  await running.runtime.revocations.raiseGeneration('wim', 'test', 'logged out');
  // Meanwhile the looks of others go on, and cut what lasts.
  const stream = await open('/wim-beside', bearer(running.issue({ userId: 'wes' })));
  await running.runtime.revocations.raiseGeneration('wes', 'test', 'logged out');
  expect(await stream.over).toBe(true);
  streams.get('/wait')!.response.end('data: you are signed out\n\n');
  const answer = await waiting;
  expect([answer.status, await answer.text()]).toEqual([200, 'data: you are signed out\n\n']);
});
