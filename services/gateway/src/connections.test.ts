import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import { connect, type AddressInfo, type Socket } from 'node:net';
import { pipeline } from 'node:stream/promises';
import { Readable } from 'node:stream';
import { afterEach, expect, it, vi } from 'vitest';
import '@wherry/embedded/testing';
import { Connections } from './connections.ts';

const closers: (() => void)[] = [];
afterEach(() => {
  for (const close of closers.splice(0)) close();
});

/** A server that answers by `answer`, each request held for as long as it takes, and a client that has asked. */
async function asked(idleMs: number, answer: (response: ServerResponse) => void): Promise<{ client: Socket; connections: Connections }> {
  const server = createServer((request, response) => {
    const { socket } = request;
    connections.hold(socket);
    response.once('close', () => connections.release(socket));
    answer(response);
  });
  const connections = new Connections(server, idleMs);
  server.on('connection', (socket) => connections.add(socket));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const client = connect((server.address() as AddressInfo).port, '127.0.0.1');
  client.on('error', () => undefined);
  await once(client, 'connect');
  client.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  closers.push(() => {
    client.destroy();
    connections.stop();
    server.close();
    server.closeAllConnections();
  });
  return { client, connections };
}

/** Without an end, in chunks as an upstream sends them. */
function* endless(): Generator<Buffer> {
  for (;;) yield Buffer.alloc(16_384);
}

it('a client that stops reading its answer is let go, and what the answer came from with it', async () => {
  const upstream = Readable.from(endless());
  const { client, connections } = await asked(40, (response) => void pipeline(upstream, response).catch(() => undefined));
  client.pause();
  await vi.waitFor(() => expect([connections.size, upstream.destroyed]).toEqual([0, true]));
});

it('one that goes on reading is not, however long that takes, nor one whose answer has not begun', async () => {
  const chunks = Readable.from(endless());
  const reading = await asked(100, (response) => void pipeline(chunks, response).catch(() => undefined));
  let got = 0;
  reading.client.on('data', (chunk: Buffer) => (got += chunk.length));
  const waiting = await asked(100, (response) => response.writeHead(200).flushHeaders());
  // As long as the other test needs for its client, several times over, by the same clock.
  const stuck = await asked(100, (response) => void pipeline(Readable.from(endless()), response).catch(() => undefined));
  stuck.client.pause();
  await vi.waitFor(() => expect(stuck.connections.size).toBe(0));
  expect(got).toBeGreaterThan(0);
  expect(waiting.connections.size).toBe(1);
  expect(reading.connections.size).toBe(1);
});
