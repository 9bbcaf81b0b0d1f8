import { createHmac, generateKeyPairSync, randomBytes, sign } from 'node:crypto';
import { connect } from 'node:net';
import { PATIENT_MS } from '@wherry/embedded/testing';
import { afterAll, beforeAll, describe, expect, inject, it, vi } from 'vitest';
import { Workbench, echo, newSession, raw, type RunningGateway, type Seen } from './testing/workbench.ts';

let bench: Workbench;
let gateway: RunningGateway;
let port: number;
/** The public part of the key that signs. */
let jwk: { readonly kid: string } & Record<string, unknown>;
const seen: Seen[] = [];
let checked = 0;

beforeAll(async () => {
  bench = await Workbench.create(inject('postgresUrl'));
  const { url } = await bench.upstream(echo(seen));
  gateway = await bench.gateway({
    routes: [
      { prefix: '/', upstream: url },
      { prefix: '/public', upstream: url, auth: 'none' },
    ],
    // Refusing by budget has tests of its own; here each must be refused for what it is.
    examinations: { perAddress: '1000000/1s', overall: '1000000/1s' },
    requestMs: PATIENT_MS,
  });
  ({ port } = gateway.gateway);
  const { rows } = await bench.control.query<{ kid: string; public_jwk: Record<string, unknown> | string }>(
    `SELECT kid, public_jwk FROM signing_key WHERE state = 'active'`,
  );
  const [row] = rows;
  const json = typeof row?.public_jwk === 'string' ? (JSON.parse(row.public_jwk) as Record<string, unknown>) : row?.public_jwk;
  jwk = { ...json, kid: row?.kid ?? '' };
});
afterAll(async () => bench[Symbol.asyncDispose]());

const segment = (value: unknown): string => Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');
const attacker = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const byAttacker = (header: unknown, payload: string): string => {
  const input = `${segment(header)}.${payload}`;
  return `${input}.${sign('sha256', Buffer.from(input), { key: attacker.privateKey, dsaEncoding: 'ieee-p1363' }).toString('base64url')}`;
};
const good = (): {
  header: Record<string, unknown>;
  claims: Record<string, unknown>;
  payload: string;
  signature: string;
  token: string;
} => {
  const token = gateway.issue({ userId: 'victim', authorities: ['ADMIN'] });
  const [header = '', payload = '', signature = ''] = token.split('.');
  const open = (text: string): Record<string, unknown> => JSON.parse(Buffer.from(text, 'base64url').toString()) as Record<string, unknown>;
  return { header: open(header), claims: open(payload), payload, signature, token };
};

const KEY = 'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n';
/** Every way by which a credential comes in: the check as bytes and by node:http, the proxy with and without a body, a handshake. */
const WAYS: readonly (readonly [string, (lines: string) => string])[] = [
  ['plain check', (lines) => `GET /auth HTTP/1.1\r\nHost: a\r\n${lines}\r\n`],
  ['check', (lines) => `GET /auth HTTP/1.1\r\nHost: a\r\nKeep-Alive: timeout=5\r\n${lines}\r\n`],
  ['proxy', (lines) => `GET /a HTTP/1.1\r\nHost: a\r\n${lines}\r\n`],
  ['proxy with a body', (lines) => `POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n${lines}\r\nbody`],
  ['handshake', (lines) => `GET /a HTTP/1.1\r\nHost: a\r\n${KEY}${lines}\r\n`],
];
const whole = (text: string): boolean => {
  const end = text.indexOf('\r\n\r\n');
  const length = /\r\ncontent-length: (\d+)/i.exec(text)?.[1];
  return end !== -1 && text.length >= end + 4 + Number(length ?? 0);
};
const ask = async (text: string): Promise<{ status: number; reason: string | undefined }> => {
  const answer = await raw(port, text, whole);
  return { status: Number(answer.slice(9, 12)), reason: /\r\nx-wherry-reason: ([a-z_]+)/i.exec(answer)?.[1] };
};
/** The one answer by all ways. */
async function byAllWays(lines: string): Promise<{ status: number; reason: string | undefined }> {
  const answers = [];
  for (const [, request] of WAYS) answers.push(await ask(request(lines)));
  for (const answer of answers) expect(answer).toEqual(answers[0]);
  return answers.at(0)!;
}

describe('a forged token', () => {
  it.each<[string, (part: ReturnType<typeof good>) => string, string]>([
    ['alg none', ({ header, payload }) => `${segment({ ...header, alg: 'none' })}.${payload}.`, 'token_algorithm_refused'],
    [
      'alg none, signed',
      ({ header, payload, signature }) => `${segment({ ...header, alg: 'nOnE' })}.${payload}.${signature}`,
      'token_algorithm_refused',
    ],
    [
      'the public key as a secret',
      ({ header, payload }) => {
        const input = `${segment({ ...header, alg: 'HS256' })}.${payload}`;
        return `${input}.${createHmac('sha256', JSON.stringify(jwk)).update(input).digest('base64url')}`;
      },
      'token_algorithm_refused',
    ],
    ['another algorithm', ({ header, payload }) => byAttacker({ ...header, alg: 'RS256' }, payload), 'token_algorithm_refused'],
    ['another key', ({ header, payload }) => byAttacker(header, payload), 'token_signature_invalid'],
    [
      'a key in the header',
      ({ header, payload }) => byAttacker({ ...header, jwk: attacker.publicKey.export({ format: 'jwk' }) }, payload),
      'token_header_invalid',
    ],
    [
      'a link to a key',
      ({ header, payload }) => byAttacker({ ...header, jku: `${gateway.url}/public/keys` }, payload),
      'token_header_invalid',
    ],
    [
      'a certificate',
      ({ header, payload }) => byAttacker({ ...header, x5u: `${gateway.url}/public/keys`, x5c: ['AA=='] }, payload),
      'token_header_invalid',
    ],
    ['crit', ({ header, payload }) => byAttacker({ ...header, crit: ['exp'] }, payload), 'token_header_invalid'],
    ['a kid that is a path', ({ header, payload }) => byAttacker({ ...header, kid: '../../dev/null' }, payload), 'token_key_unknown'],
    ['a kid that is SQL', ({ header, payload }) => byAttacker({ ...header, kid: "' OR 1=1 --" }, payload), 'token_key_unknown'],
    ['a kid that is a property', ({ header, payload }) => byAttacker({ ...header, kid: '__proto__' }, payload), 'token_key_unknown'],
    ['a kid that is a number', ({ header, payload }) => byAttacker({ ...header, kid: 1 }, payload), 'token_header_invalid'],
    ['no kid', ({ header: { kid: _kid, ...header }, payload }) => byAttacker(header, payload), 'token_header_invalid'],
    [
      'a member twice',
      ({ header, payload, signature }) => `${segment(`{"alg":"none",${JSON.stringify(header).slice(1)}`)}.${payload}.${signature}`,
      'token_header_invalid',
    ],
    [
      'an id token',
      ({ header, payload, signature }) => `${segment({ ...header, typ: 'JWT' })}.${payload}.${signature}`,
      'token_type_wrong',
    ],
    [
      'other claims',
      ({ claims, token }) => token.replace(/\.[^.]*\./, `.${segment({ ...claims, sub: 'root', userId: 'root' })}.`),
      'token_signature_invalid',
    ],
    ['no signature', ({ token }) => token.replace(/[^.]*$/, ''), 'token_signature_invalid'],
    ['a signature of zeros', ({ token }) => token.replace(/[^.]*$/, Buffer.alloc(64).toString('base64url')), 'token_signature_invalid'],
    [
      'other bits at its end',
      ({ token }) => `${token.slice(0, -1)}${String.fromCharCode(token.charCodeAt(token.length - 1) + 1)}`,
      'token_malformed',
    ],
    ['padding', ({ token }) => `${token}==`, 'token_malformed'],
    ['four segments', ({ token }) => `${token}.AAAA`, 'credential_unknown'],
    [
      'a long kid',
      ({ header, payload, signature }) => `${segment({ ...header, kid: 'k'.repeat(5000) })}.${payload}.${signature}`,
      'token_header_invalid',
    ],
  ])('%s is 401 by every way, and reaches nobody', async (_what, forge, reason) => {
    const before = seen.length;
    const answer = await byAllWays(`Authorization: Bearer ${forge(good())}\r\n`);
    expect(answer).toEqual({ status: 401, reason });
    expect(seen.length).toBe(before);
    checked++;
  });

  it('is refused beside a good one that was accepted a moment ago', async () => {
    const { token } = good();
    expect(await ask(WAYS.at(0)![1](`Authorization: Bearer ${token}\r\n`))).toEqual({ status: 200, reason: undefined });
    for (let at = 0; at < token.length; at += 37) {
      const other = token[at] === 'A' ? 'B' : 'A';
      if (token[at] === '.') continue;
      const { status } = await ask(WAYS.at(0)![1](`Authorization: Bearer ${token.slice(0, at)}${other}${token.slice(at + 1)}\r\n`));
      expect([at, status]).toEqual([at, 401]);
    }
  });
});

describe('a header that two servers could read in two ways', () => {
  it.each<[string, (token: string) => string, number[]]>([
    ['two of them', (token) => `Authorization: Bearer ${token}\r\nAuthorization: Bearer ${token}\r\n`, [400]],
    [
      'two of them in odd case, the second one of another scheme',
      (token) => `aUTHORIZATION: Bearer ${token}\r\nAuthorization: Basic YTpi\r\n`,
      [400],
    ],
    ['two in one', (token) => `Authorization: Bearer ${token}, Bearer ${token}\r\n`, [401]],
    ['a folded one', (token) => `Authorization: Bearer\r\n ${token}\r\n`, [400]],
    ['a space before the colon', (token) => `Authorization : Bearer ${token}\r\n`, [400]],
    ['NUL in the value', (token) => `Authorization: Bearer ${token}\0\r\n`, [400]],
    ['NUL in the name', (token) => `Authorization\0: Bearer ${token}\r\n`, [400]],
    ['a bare carriage return', (token) => `X-A: b\rAuthorization: Bearer ${token}\r\n`, [400]],
    ['a bare line feed', (token) => `X-A: b\nAuthorization: Bearer ${token}\r\n`, [400, 200]],
    ['a vertical tab', (token) => `Authorization: Bearer ${token}\v\r\n`, [400, 401]],
    ['a byte beyond ASCII', (token) => `Authorization: Bearer ${token}\xff\r\n`, [401]],
    ['a space that is none', (token) => `Authorization: Bearer\xa0${token}\r\n`, [401]],
    ['a token in a cookie of the name', (token) => `Cookie: authorization=Bearer ${token}\r\n`, [401]],
    ['an underscore for a letter', (token) => `Author_ization: Bearer ${token}\r\n`, [401]],
    [
      'another header that some believe',
      (token) => `X-Authorization: Bearer ${token}\r\nX-Forwarded-Authorization: Bearer ${token}\r\n`,
      [401],
    ],
  ])('%s opens nothing', async (_what, lines, statuses) => {
    for (const [way, request] of WAYS) {
      const { status } = await ask(request(lines(good().token)));
      expect([way, statuses.includes(status)], `status ${status}`).toEqual([way, true]);
      if (status === 200) expect.unreachable(`${way} let it pass`);
    }
  });

  it('is none in any other spelling of the right one', async () => {
    for (const name of ['Authorization', 'authorization', 'AUTHORIZATION', 'aUtHoRiZaTiOn']) {
      for (const scheme of ['Bearer', 'bearer', 'BEARER']) {
        for (const [way, request] of WAYS.slice(0, 4)) {
          const { status } = await ask(request(`${name}: \t${scheme}  ${good().token} \t\r\n`));
          expect([name, scheme, way, status]).toEqual([name, scheme, way, 200]);
        }
      }
    }
  });
});

describe('a session token', () => {
  it('is refused with another secret, another id, a mistyped letter, and as a part', async () => {
    const { token } = await newSession(gateway);
    const other = await newSession(gateway);
    const bytes = Buffer.from(token.slice(3), 'base64url');
    const others = Buffer.from(other.token.slice(3), 'base64url');
    const swapped = `st_${Buffer.concat([bytes.subarray(0, 8), others.subarray(8)]).toString('base64url')}`;
    for (const forged of [
      swapped,
      token.slice(0, -1),
      `${token}A`,
      `st_${randomBytes(36).toString('base64url')}`,
      token.toUpperCase(),
      `ST_${token.slice(3)}`,
    ]) {
      expect((await byAllWays(`Authorization: Bearer ${forged}\r\n`)).status).toBe(401);
    }
    expect(await ask(WAYS.at(0)![1](`Authorization: Bearer ${token}\r\n`))).toEqual({ status: 200, reason: undefined });
  });
});

describe('parameters and paths', () => {
  it.each([
    '/a?access_token=x',
    '/a?b=c&access_token=x',
    '/a?access_token=x&access_token=y',
    '/a?access%5Ftoken=x',
    '/a?access_token',
    '/auth?access_token=x',
  ])('a token in the query is 400, however it is written: %s', async (path) => {
    expect((await ask(`GET ${path} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${good().token}\r\n\r\n`)).status).toBe(400);
  });

  it('a parameter of the same name elsewhere is none of ours', async () => {
    const { status } = await ask(`GET /a?x=1&x=2&access=1 HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${good().token}\r\n\r\n`);
    expect(status).toBe(200);
    expect(seen.at(-1)!.url).toBe('/a?x=1&x=2&access=1');
  });
});

describe('size and time', () => {
  it('headers over 16 KiB are 431, in one chunk or in many', async () => {
    const long = `GET /auth HTTP/1.1\r\nHost: a\r\nX-A: ${'a'.repeat(17_000)}\r\n\r\n`;
    expect((await ask(long)).status).toBe(431);
    const many = `GET /auth HTTP/1.1\r\nHost: a\r\n${`X-A: ${'a'.repeat(100)}\r\n`.repeat(200)}\r\n`;
    expect((await ask(many)).status).toBe(431);
  });

  it('a body for the check, or behind a refusal, is not waited for nor read', async () => {
    for (const [path, lines, status] of [
      ['/auth', `Authorization: Bearer ${good().token}\r\n`, 200],
      ['/a', '', 401],
    ] as const) {
      const answer = await raw(port, `POST ${path} HTTP/1.1\r\nHost: a\r\n${lines}Content-Length: 1000000000\r\n\r\nsome`);
      expect(Number(answer.slice(9, 12))).toBe(status);
      expect(answer).toMatch(/\r\nconnection: close\r\n/i);
    }
  });

  it('one who sends a byte at a time is answered like all, and one who stops is let go', async () => {
    const { token } = good();
    const slow = connect(port, '127.0.0.1');
    let got = '';
    slow.setEncoding('latin1').on('data', (text: string) => (got += text));
    for (const byte of `GET /auth HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${token}\r\n\r\n`) {
      slow.write(byte);
      await new Promise<void>((resolve) => setImmediate(resolve));
    }
    await vi.waitFor(() => expect(got).toMatch(/^HTTP\/1\.1 200 /));
    slow.destroy();
    const brief = await bench.gateway({ routes: [{ prefix: '/', upstream: gateway.url }], requestMs: 300, idleMs: 300 });
    for (const part of [
      '',
      'GET /auth HT',
      'GET /auth HTTP/1.1\r\nHost: a\r\nAuthorization: Bear',
      `GET /auth HTTP/1.1\r\nHost: a\r\n${KEY}`,
    ]) {
      // Ends when the gateway ends it.
      expect(await raw(brief.gateway.port, part)).toMatch(/^$|^HTTP\/1\.1 408 /);
    }
  });

  it('all of the above left the gateway as it was', async () => {
    expect(checked).toBeGreaterThan(20);
    expect(await ask(WAYS.at(2)![1](`Authorization: Bearer ${good().token}\r\n`))).toEqual({ status: 200, reason: undefined });
    expect(await gateway.page()).toMatch(/wherry_gateway_upstream_under_way 0\n/);
  });
});
