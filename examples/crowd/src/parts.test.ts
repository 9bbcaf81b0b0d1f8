import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { cookieHeader, findSetCookie, mutilated, sessionDigest } from './credential.ts';
import { statedIdentity } from './identity.ts';
import { Meter } from './meter.ts';
import { readCommandLine } from './options.ts';
import { parseInput } from './protocol.ts';
import { Random } from './random.ts';
import { Wallet } from './wallet.ts';

const sha256 = (bytes: string | Buffer): string => createHash('sha256').update(bytes).digest('hex');

describe('credentials', () => {
  it('name their session by the canonical id', () => {
    expect(sessionDigest('s:abc.def.sig+/')).toBe(sha256('abc.def'));
    const token = Buffer.from(Array.from({ length: 36 }, (_, n) => n));
    expect(sessionDigest(`st_${token.toString('base64url')}`)).toBe(sha256(token.subarray(8, 32)));
    expect(() => sessionDigest('plain')).toThrow('neither');
    expect(mutilated('aa.bb.Cc')).toBe('aa.bb.Ac');
    expect(mutilated('aa.bb.Ac')).toBe('aa.bb.Bc');
  });

  it('come out of Set-Cookie and go into Cookie', () => {
    const headers = ['other=1; Path=/', 'connect.sid=s%3Aabc.s%2Big; Path=/; Expires=Thu, 01 Jan 2026 00:00:10 GMT; HttpOnly'];
    expect(findSetCookie(headers, 'connect.sid')).toEqual({ value: 's:abc.s+ig', expiresAt: Date.UTC(2026, 0, 1, 0, 0, 10) });
    expect(findSetCookie('connect.sid=s%3Aabc', 'connect.sid')).toEqual({ value: 's:abc', expiresAt: undefined });
    expect(findSetCookie(undefined, 'connect.sid')).toBeUndefined();
    expect(cookieHeader('connect.sid', 's:abc.s+ig')).toBe('connect.sid=s%3Aabc.s%2Big');
  });
});

it('reads both forms of a stated identity', () => {
  expect(statedIdentity({ userId: '7', authorities: ['a'] })).toEqual({ userId: '7', authorities: ['a'] });
  expect(statedIdentity({ user: { id: 7, roles: ['a', 'b'], permissions: ['b', 'c'] } })).toEqual({
    userId: '7',
    authorities: ['a', 'b', 'c'],
  });
  for (const body of [undefined, null, 'x', [], { error: 'x' }]) expect(statedIdentity(body)).toEqual({});
});

describe('Random', () => {
  it('repeats itself for a seed and differs between parts', () => {
    const draw = (random: Random): number[] => Array.from({ length: 20 }, () => random.next());
    expect(draw(Random.part(5, 1))).toEqual(draw(Random.part(5, 1)));
    expect(draw(Random.part(5, 1))).not.toEqual(draw(Random.part(5, 2)));
    expect(draw(Random.part(5, 1))).not.toEqual(draw(Random.part(6, 1)));
  });

  it('is even, and follows weights', () => {
    const random = new Random(1);
    const tens = Array.from({ length: 10 }, () => 0);
    for (let n = 0; n < 20_000; n++) {
      const place = random.below(10);
      tens[place] = (tens[place] ?? 0) + 1;
    }
    for (const count of tens) expect(Math.abs(count - 2000)).toBeLessThan(200);
    const drawn = Array.from({ length: 2000 }, () =>
      random.weighted([
        ['a', 3],
        ['b', 1],
        ['c', 0],
      ] as const),
    );
    expect(drawn.filter((value) => value === 'a').length / 2000).toBeCloseTo(0.75, 1);
    expect(drawn).not.toContain('c');
  });
});

it('keeps an even sample of ended credentials', () => {
  const wallet = new Wallet(new Random(3), 100);
  for (let n = 0; n < 2000; n++) {
    wallet.keep(`session ${n}`, `cookie ${n}`);
    expect(wallet.end(`session ${n}`, n)).toHaveLength(1);
  }
  const times = wallet.endedSample().map((credential) => credential.endedAt);
  expect(new Set(times).size).toBe(100);
  expect(wallet.endedCount).toBe(2000);
  expect(times.filter((time) => time >= 1000).length).toBeGreaterThan(30);
  expect(wallet.cookie('session 5')).toBeUndefined();
});

it('knows which renewal credentials are superseded: those whose successor has been used', () => {
  const wallet = new Wallet(new Random(4));
  wallet.keep('s', undefined);
  wallet.keepRenewal('s', 'a');
  wallet.keepRenewal('s', 'b', 'a');
  // `a` may be sent again: the answer that brought `b` could have been lost.
  expect(wallet.renewal('s')).toEqual({ value: 'b', before: 'a', superseded: undefined });
  wallet.keepRenewal('s', 'c', 'b');
  expect(wallet.renewal('s')).toEqual({ value: 'c', before: 'b', superseded: 'a' });
  wallet.keepRenewal('s', 'another family');
  expect(wallet.renewal('s')).toEqual({ value: 'another family', before: undefined, superseded: undefined });
  expect(wallet.end('s', 1)).toEqual([{ session: 's', kind: 'renewal', value: 'another family', endedAt: 1 }]);
});

it('measures a second', () => {
  const meter = new Meter();
  for (let n = 1; n <= 100; n++) meter.record(n % 10 === 0 ? 401 : 200, n);
  meter.record(503, 1);
  expect(meter.read()).toEqual({ requests: 101, ok: 90, unauthorized: 10, unavailable: 1, other: 0, p50: 50, p99: 99 });
  expect(meter.read()).toMatchObject({ requests: 0, p50: 0 });
  expect(meter.total).toBe(101);
});

describe('what the parent says', () => {
  it('is read', () => {
    expect(parseInput('{"do":"mode","mode":"jwt","percent":25,"id":3}')).toEqual({ do: 'mode', mode: 'jwt', percent: 25, id: 3 });
    expect(parseInput('{"do":"mode","mode":"renewing","toldOnly":true,"broken":80}')).toMatchObject({ toldOnly: true, broken: 80 });
    expect(parseInput('{"do":"retired","cookies":5}')).toEqual({ do: 'retired', cookies: 5 });
    expect(parseInput('{"answer":1,"present":["ab"]}')).toEqual({ answer: 1, present: ['ab'] });
  });

  it.each([
    '',
    '[]',
    '{"do":"dance"}',
    '{"do":"mode","mode":"x"}',
    '{"do":"mode","mode":"jwt","percent":101}',
    '{"do":"overlap"}',
    '{"do":"drop","share":2}',
    '{"do":"retired"}',
    '{"do":"fetch-all","concurrency":0}',
    '{"do":"mode","mode":"jwt","broken":-1}',
    '{"do":"replay-renewals"}',
  ])('is refused: %s', (line) => {
    expect(() => parseInput(line)).toThrow();
  });

  it.each([
    '{"do":"set-gateway"}',
    '{"do":"set-gateway","url":[]}',
    '{"do":"set-gateway","url":"ftp://x"}',
    '{"do":"set-gateway","url":"http://x","auth":1}',
  ])('must be an address: %s', (line) => {
    expect(() => parseInput(line)).toThrow('address');
  });
});

it('reads the command line and names what is wrong', () => {
  expect(readCommandLine(['--gateway', 'http://a', '--gateway', 'http://b', '--seed', '9'])).toMatchObject({
    gateways: ['http://a', 'http://b'],
    seed: 9,
    users: 300,
  });
  expect(() => readCommandLine(['--users', 'many'])).toThrow('--users');
  expect(() => readCommandLine(['--gateway', 'localhost:1'])).toThrow('--gateway');
  expect(() => readCommandLine(['--unknown', '1'])).toThrow('unknown');
});
