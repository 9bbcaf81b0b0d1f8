import { createServer } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { MAX_AUTHORIZATION_LENGTH, authorizationOf } from './bearer.ts';
import { sendProblem } from './problem-response.ts';

const server = createServer((request, response) => {
  try {
    response.end(JSON.stringify(authorizationOf(request)));
  } catch (error) {
    sendProblem(response, error);
  }
});
beforeAll(() => new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve)));
afterAll(() => server.close());

/** Sends the lines as they are: a client library would merge or refuse some of them. */
async function ask(lines: readonly string[], path = '/'): Promise<{ status: number; body: unknown }> {
  const { port } = server.address() as AddressInfo;
  const socket = connect(port, '127.0.0.1');
  socket.end(`GET ${path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n${lines.map((line) => `${line}\r\n`).join('')}\r\n`);
  let text = '';
  for await (const chunk of socket.setEncoding('utf8')) text += String(chunk);
  return { status: Number(text.slice(9, 12)), body: JSON.parse(text.slice(text.indexOf('{'), text.lastIndexOf('}') + 1)) };
}

describe('authorizationOf over a real socket', () => {
  it.each([
    [[], { kind: 'none' }],
    [['Authorization: Bearer a.b.c'], { kind: 'bearer', token: 'a.b.c' }],
    [['authorization: bearer st_x'], { kind: 'bearer', token: 'st_x' }],
    [['AUTHORIZATION: BEARER   x  '], { kind: 'bearer', token: 'x' }],
    [['Authorization: Bearer'], { kind: 'bearer', token: '' }],
    [['Authorization: Bearer a b'], { kind: 'bearer', token: 'a b' }],
    [['Authorization: Basic dXNlcjpwYXNz'], { kind: 'other', scheme: 'basic', credentials: 'dXNlcjpwYXNz' }],
    [['Authorization: a.b.c'], { kind: 'other', scheme: 'a.b.c', credentials: '' }],
    [['Authorization:'], { kind: 'none' }],
    [['X-Authorization: Bearer x', 'Authorizations: y'], { kind: 'none' }],
  ])('%j is %j', async (lines, expected) => {
    expect(await ask(lines)).toEqual({ status: 200, body: expected });
  });

  it.each([
    [['Authorization: Bearer a', 'Authorization: Bearer b']],
    [['Authorization: Bearer a', 'Authorization: Bearer a']],
    [['Authorization: Bearer a', 'X-Other: 1', 'authorization: Basic b']],
    [['Authorization:', 'AUTHORIZATION: Bearer b']],
  ])('refuses two headers: %j', async (lines) => {
    expect(await ask(lines)).toMatchObject({ status: 400, body: { code: 'bad_request' } });
  });

  it.each(['/?access_token=x', '/?a=1&access_token=', '/x?access%5Ftoken=x', '/?access_token'])(
    'refuses a token in the query: %s',
    async (path) => {
      const { status, body } = await ask(['Authorization: Bearer a'], path);
      expect({ status, code: (body as { code: string }).code }).toEqual({ status: 400, code: 'bad_request' });
    },
  );

  it.each(['/access_token=x', '/?my_access_token=x', '/?q=access_token', '/?'])('lets %s pass', async (path) => {
    expect(await ask([], path)).toEqual({ status: 200, body: { kind: 'none' } });
  });

  it('takes 8192 characters and not one more, and repeats none of them', async () => {
    const most = `Bearer ${'x'.repeat(MAX_AUTHORIZATION_LENGTH - 7)}`;
    expect(await ask([`Authorization: ${most}`])).toMatchObject({ status: 200, body: { kind: 'bearer' } });
    const { status, body } = await ask([`Authorization: ${most}x`]);
    expect(status).toBe(400);
    expect(JSON.stringify(body)).not.toContain('xxxx');
  });
});
