import type { IncomingMessage } from 'node:http';
import { expect, it } from 'vitest';
import { acceptsWebSocket, webSocketKey, wishesWebSocket } from './websocket.ts';

const KEY = 'dGhlIHNhbXBsZSBub25jZQ==';

function request(part: { method?: string; httpVersion?: string; headers?: Record<string, string>; raw?: string[] } = {}): IncomingMessage {
  const { method = 'GET', httpVersion = '1.1', headers = {}, raw = ['Sec-WebSocket-Key', KEY] } = part;
  return { method, httpVersion, rawHeaders: raw, headers: { host: 'a', upgrade: 'websocket', ...headers } } as unknown as IncomingMessage;
}

it('a handshake as in RFC 6455 section 1.3 is one, in any case of letters', () => {
  expect(wishesWebSocket(request())).toBe(true);
  expect(wishesWebSocket(request({ headers: { upgrade: ' WebSocket ', 'content-length': '0' } }))).toBe(true);
});

it.each([
  ['another method', { method: 'POST' }],
  ['HTTP/1.0', { httpVersion: '1.0' }],
  ['no host', { headers: { host: undefined as never } }],
  ['h2c', { headers: { upgrade: 'h2c' } }],
  ['a choice of protocols', { headers: { upgrade: 'websocket, h2c' } }],
  ['a body', { headers: { 'content-length': '5' } }],
  ['chunks', { headers: { 'transfer-encoding': 'chunked' } }],
  ['no key', { raw: [] }],
  ['two keys', { raw: ['sec-websocket-key', KEY, 'Sec-WebSocket-Key', KEY] }],
  ['a short key', { raw: ['Sec-WebSocket-Key', 'YWJj'] }],
  ['a key with other bits at its end', { raw: ['Sec-WebSocket-Key', 'dGhlIHNhbXBsZSBub25jZR=='] }],
])('%s is none', (_what, part) => {
  expect(wishesWebSocket(request(part))).toBe(false);
});

it('only the proof for this key is an acceptance', () => {
  // The example of RFC 6455 section 1.3.
  const good = ['Upgrade', 'websocket', 'Connection', 'Upgrade', 'Sec-WebSocket-Accept', 's3pPLMBiTxaQ9kYGzzhZRbK+xOo='];
  expect(webSocketKey(['Sec-Websocket-Key', ` ${KEY} `])).toBe(KEY);
  expect(acceptsWebSocket(good, KEY)).toBe(true);
  expect(acceptsWebSocket(good, 'AAAAAAAAAAAAAAAAAAAAAA==')).toBe(false);
  expect(acceptsWebSocket([...good, 'sec-websocket-accept', 'x'], KEY)).toBe(false);
  expect(acceptsWebSocket(good.slice(2), KEY)).toBe(false);
  expect(acceptsWebSocket(['Upgrade', 'h2c', ...good.slice(2)], KEY)).toBe(false);
});
