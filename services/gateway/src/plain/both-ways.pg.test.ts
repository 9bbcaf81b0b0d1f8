import { afterAll, beforeAll, expect, inject, it } from 'vitest';
import { Workbench, newSession, raw, type RunningGateway } from '../testing/workbench.ts';
import { readPlainRequest } from './plain-request.ts';

let bench: Workbench;
let gateway: RunningGateway;
let session: string;

beforeAll(async () => {
  bench = await Workbench.create(inject('postgresUrl'));
  const routes = [
    { prefix: '/public', upstream: 'http://127.0.0.1:9', auth: 'none' },
    { prefix: '/shop', upstream: 'http://127.0.0.1:9', auth: 'optional' },
  ] as const;
  gateway = await bench.gateway({ routes, forwardAuth: { uriHeader: 'X-Forwarded-Uri' } });
  session = (await newSession(gateway)).token;
});
afterAll(async () => bench[Symbol.asyncDispose]());

/** Changes nothing for the check, and is not for the plain lane. */
const BY_NODE = 'Keep-Alive: timeout=5\r\n';

/** Status, headers without those of the connection and of time, sorted, and body. */
async function answerTo(request: string): Promise<{ readonly status: string; readonly headers: readonly string[]; readonly body: string }> {
  const got = await raw(gateway.gateway.port, request, (text) => {
    const end = text.indexOf('\r\n\r\n');
    const length = /\r\ncontent-length: (\d+)/i.exec(text)?.[1];
    return end !== -1 && text.length >= end + 4 + Number(length ?? 0);
  });
  const [head = '', body = ''] = got.split('\r\n\r\n');
  const [status = '', ...headers] = head.split('\r\n');
  expect(headers.filter((line) => /^date: /i.test(line))).toHaveLength(1);
  return { status, headers: headers.filter((line) => !/^(?:date|connection|keep-alive): /i.test(line)).toSorted(), body };
}

const jwt = (): string => `Authorization: Bearer ${gateway.issue({ userId: 'ü,1', authorities: ['A,B'], username: 'ann' })}\r\n`;
const path = (uri: string): string => `X-Forwarded-Uri: ${uri}\r\n`;

it.each<[string, () => string, string?]>([
  ['nothing', () => ''],
  ['a token', jwt],
  ['a token in odd spelling', () => jwt().replace('Authorization: Bearer', 'AUTHORIZATION:\t bearer ')],
  ['a session token', () => `Authorization: Bearer ${session}\r\n`],
  ['another scheme', () => 'Authorization: Basic YTpi\r\n'],
  ['an unknown text', () => 'Authorization: Bearer abc\r\n'],
  ['an empty bearer', () => 'Authorization: Bearer \r\n'],
  ['an empty header', () => 'Authorization:\r\n'],
  ['two dots', () => 'Authorization: Bearer ..\r\n'],
  ['an endless header', () => `Authorization: Bearer ${'a'.repeat(9000)}\r\n`],
  ['two Authorization headers', () => `${jwt()}authorization: Basic x\r\n`],
  ['the same one twice', () => `${jwt()}${jwt()}`],
  ['a cookie', () => 'Cookie: connect.sid=s%3Ax.y\r\nCookie: a=b\r\n'],
  ['a token in the query', () => '', '/auth?access_token=a.b.c'],
  ['a query', jwt, '/auth?a=b&c'],
  ['a fragment', jwt, '/auth?a#b'],
  ['an open path', () => path('/public/a')],
  ['an optional path', () => path('/shop')],
  ['an optional path with a bad token', () => `${path('/shop')}Authorization: Bearer a.b.c\r\n`],
  ['a path out of its prefix', () => path('/public/../private')],
  ['a token in the query of the path', () => path('/shop?access_token=x')],
  ['an absolute path', () => path('http://evil/public')],
  ['an empty path', () => path('')],
  ['two paths', () => `${path('/public')}${path('/private')}`],
])('%s: the answer is the same whichever way the question goes', async (_what, lines, target = '/auth') => {
  const question = (more: string, text: string): string => `GET ${target} HTTP/1.1\r\nHost: a\r\n${text}${more}\r\n`;
  const text = lines();
  expect(readPlainRequest(Buffer.from(question('', text), 'latin1'))).toBeDefined();
  expect(readPlainRequest(Buffer.from(question(BY_NODE, text), 'latin1'))).toBeUndefined();
  const [plain, byNode] = [await answerTo(question('', text)), await answerTo(question(BY_NODE, text))];
  expect(plain.status).toMatch(/^HTTP\/1\.1 (?:200|400|401) /);
  expect(plain).toEqual(byNode);
});
