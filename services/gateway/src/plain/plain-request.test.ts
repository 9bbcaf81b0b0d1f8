import fc from 'fast-check';
import { createServer, type Server } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readPlainRequest, type PlainRequest } from './plain-request.ts';

const read = (text: string): PlainRequest | undefined => readPlainRequest(Buffer.from(text, 'latin1'));
const HEAD = 'GET /auth HTTP/1.1\r\nHost: a\r\n';

describe('a plain request', () => {
  it('is read with names and values as they came', () => {
    expect(read(`GET /auth?a=%20 HTTP/1.1\r\nHost: a:1\r\nAUTHORIZATION:  Bearer a.b.c \r\nX-Empty:\r\nX-Tab:\t a\tb\t\r\n\r\n`)).toEqual({
      url: '/auth?a=%20',
      rawHeaders: ['Host', 'a:1', 'AUTHORIZATION', 'Bearer a.b.c', 'X-Empty', '', 'X-Tab', 'a\tb'],
    });
  });

  it('may say what changes nothing', () => {
    expect(read(`${HEAD}Connection: Keep-Alive\r\nContent-Length: 0\r\n\r\n`)).toBeDefined();
  });

  it.each([
    ['nothing', ''],
    ['half of one', HEAD],
    ['half of its end', `${HEAD}\r`],
    ['two', `${HEAD}\r\n${HEAD}\r\n`],
    ['one with a body behind', `${HEAD}\r\nx`],
    ['an empty line before', `\r\n${HEAD}\r\n`],
    ['another method', `${HEAD}\r\n`.replace('GET', 'HEAD')],
    ['a method in lower case', `${HEAD}\r\n`.replace('GET', 'get')],
    ['HTTP/1.0', `${HEAD}\r\n`.replace('1.1', '1.0')],
    ['the absolute form', `${HEAD}\r\n`.replace('/auth', 'http://a/auth')],
    ['two spaces', `${HEAD}\r\n`.replace(' HTTP', '  HTTP')],
    ['a byte over 127 in the path', `${HEAD}\r\n`.replace('/auth', '/auth\xe9')],
    ['no header', 'GET /auth HTTP/1.1\r\n\r\n'],
    ['no Host', 'GET /auth HTTP/1.1\r\nAccept: a\r\n\r\n'],
    ['two Hosts', `${HEAD}host: b\r\n\r\n`],
    ['a body', `${HEAD}Content-Length: 1\r\n\r\n`],
    ['a length twice', `${HEAD}Content-Length: 0\r\ncontent-length: 0\r\n\r\n`],
    ['more than 500 header lines', `${HEAD}${'a:\r\n'.repeat(500)}\r\n`],
    ['a length that is no number', `${HEAD}Content-Length: 0, 0\r\n\r\n`],
    ['a coded body', `${HEAD}Transfer-Encoding: chunked\r\n\r\n`],
    ['a coded body, oddly spelled', `${HEAD}tRANSFER-eNCODING: identity\r\n\r\n`],
    ['an end of the connection', `${HEAD}Connection: close\r\n\r\n`],
    ['a list for the connection', `${HEAD}Connection: keep-alive, upgrade\r\n\r\n`],
    ['an upgrade', `${HEAD}Upgrade: websocket\r\n\r\n`],
    ['an expectation', `${HEAD}Expect: 100-continue\r\n\r\n`],
    ['a trailer', `${HEAD}Trailer: x\r\n\r\n`],
    ['white space before the colon', `${HEAD}Content-Length : 1\r\n\r\n`],
    ['a folded line', `${HEAD}X-A: a\r\n b\r\n\r\n`],
    ['a line without a colon', `${HEAD}Authorization\r\n\r\n`],
    ['a line without a name', `${HEAD}: x\r\n\r\n`],
    ['a bare line feed', `${HEAD}X-A: a\nX-B: b\r\n\r\n`],
    ['a bare carriage return', `${HEAD}X-A: a\rX-B: b\r\n\r\n`],
    ['line feeds alone', `${HEAD}\r\n`.replaceAll('\r', '')],
    ['NUL', `${HEAD}X-A: a\0\r\n\r\n`],
    ['a byte over 127', `${HEAD}X-A: \xe9\r\n\r\n`],
    ['more than 16 KiB', `${HEAD}X-A: ${'a'.repeat(16_384)}\r\n\r\n`],
  ])('is not %s', (_what, text) => expect(read(text)).toBeUndefined());
});

describe('beside node:http', () => {
  let server: Server;
  const seen: PlainRequest[] = [];

  beforeAll(async () => {
    server = createServer((request, response) => {
      seen.push({ url: request.url ?? '', rawHeaders: request.rawHeaders });
      response.end();
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  });
  afterAll(() => {
    server.closeAllConnections();
    server.close();
  });

  /** All that node:http makes of these bytes and of the end of the connection. */
  async function readByNode(bytes: Buffer): Promise<{ readonly requests: readonly PlainRequest[]; readonly answer: string }> {
    seen.length = 0;
    const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
    let answer = '';
    for await (const chunk of socket.setEncoding('latin1').end(bytes)) answer += String(chunk);
    return { requests: [...seen], answer };
  }

  it.each([
    ['a length twice', `${HEAD}Content-Length: 0\r\nContent-Length: 0\r\n\r\n`],
    ['as many lines as the bytes have room for', `${HEAD}${'a:\r\n'.repeat(4000)}\r\n`],
    ['500 lines', `${HEAD}${'a:\r\n'.repeat(499)}\r\n`],
    ['a fragment, and another', 'GET /auth?a#b#c HTTP/1.1\r\nHost: a\r\n\r\n'],
    ['white space alone', `${HEAD}X-A: \t \t\r\n\r\n`],
    ['no name for the host', 'GET /auth HTTP/1.1\r\nHost:\r\n\r\n'],
  ])('%s: read the same or not at all', async (_what, text) => {
    const ours = read(text);
    const theirs = await readByNode(Buffer.from(text, 'latin1'));
    if (ours !== undefined) expect(theirs.requests).toEqual([ours]);
    else expect(theirs.answer).toMatch(/^HTTP\/1\.1 4\d\d /);
  });

  it('whatever is read here is read the same there: one request, the same target and headers, nothing left over', async () => {
    const piece = fc.oneof(
      {
        weight: 6,
        arbitrary: fc.constantFrom('\r\n', ': ', ':', ' ', '\t', 'Host: a', 'X-A', 'a', 'Authorization: Bearer x', 'Cookie: a=b; c=d'),
      },
      {
        weight: 3,
        arbitrary: fc.constantFrom(
          'Content-Length: 0',
          'Content-Length: 0\r\nContent-Length: 0',
          'Content-Length: 1',
          'content-length:',
          'Connection: keep-alive',
          'Connection: close',
          'Te: trailers',
          'Transfer-Encoding: chunked',
          'Upgrade: x',
          'Expect: 100-continue',
          'Keep-Alive: timeout=1',
          'HTTP2-Settings: x',
        ),
      },
      { weight: 1, arbitrary: fc.constantFrom('\r', '\n', '\0', '\x7f', '\xe9', '\v', '(', '"', '\r\n ', '\r\n\r\n') },
    );
    const line = fc.array(piece, { minLength: 1, maxLength: 4 }).map((pieces) => pieces.join(''));
    const request = fc
      .tuple(
        fc.constantFrom('GET', 'GET', 'GET', 'HEAD', 'POST'),
        fc.constantFrom('/auth', '/auth?a=b', '/%2e', '*', 'a'),
        fc.array(line, { maxLength: 4 }),
      )
      .map(([method, target, lines]) => `${method} ${target} HTTP/1.1\r\nHost: a\r\n${lines.map((text) => `${text}\r\n`).join('')}\r\n`);
    let plain = 0;
    await fc.assert(
      fc.asyncProperty(request, async (text) => {
        const bytes = Buffer.from(text, 'latin1');
        const ours = readPlainRequest(bytes);
        if (ours === undefined) return;
        plain++;
        const theirs = await readByNode(bytes);
        expect(theirs.requests).toEqual([ours]);
        expect(theirs.answer).toMatch(/^HTTP\/1\.1 200 /);
      }),
      { numRuns: 3000 },
    );
    // It would prove nothing if hardly any were plain.
    expect(plain).toBeGreaterThan(50);
  });
});
