import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { mintSessionToken } from '@wherry/sessions';
import { Workbench, newSession, type RunningGateway } from '../testing/workbench.ts';

/** Nothing comes back within a test, however slow it is. */
const still = (quota: number): string => `${quota}/1d`;

let bench: Workbench;
beforeAll(async () => {
  bench = await Workbench.create(inject('postgresUrl'));
});
afterAll(async () => bench[Symbol.asyncDispose]());

/** One gateway a test: budgets are not shared. */
async function gatewayOf(perAddress: number, overall: number, more: object = {}): Promise<RunningGateway> {
  return bench.gateway({ examinations: { perAddress: still(perAddress), overall: still(overall) }, ...more });
}

interface Got {
  readonly status: number;
  readonly code: string | null;
  readonly headers: Headers;
}

async function check({ url }: RunningGateway, token: string, from?: string): Promise<Got> {
  const headers = { authorization: `Bearer ${token}`, ...(from === undefined ? {} : { 'x-forwarded-for': from }) };
  const answer = await fetch(`${url}/auth`, { headers });
  await answer.text();
  return { status: answer.status, code: answer.headers.get('x-wherry-reason'), headers: answer.headers };
}

let count = 0;
/** A token of its own, valid but for its signature, which is that of another one. */
function forged({ issue }: RunningGateway): string {
  const [header = '', payload = ''] = issue({ userId: `victim ${count++}` }).split('.');
  return `${header}.${payload}.${issue({ userId: `other ${count++}` }).split('.')[2] ?? ''}`;
}
const fresh = ({ issue }: RunningGateway): string => issue({ userId: `honest ${count++}` });
const unknownSession = (): string => mintSessionToken(BigInt(Date.now()) * 1_000_000n + BigInt(count++)).token;

/** How many tokens were looked at that were not in memory. */
async function examined({ page }: RunningGateway): Promise<number> {
  return Number(/wherry_gateway_memory_total\{memory="token",result="miss"\} (\d+)/.exec(await page())?.[1]);
}

async function flood(
  gateway: RunningGateway,
  times: number,
  tokenOf: () => string,
  fromOf: (n: number) => string | undefined,
): Promise<Map<string, number>> {
  const codes = new Map<string, number>();
  const one = async (n: number): Promise<void> => {
    const { status, code } = await check(gateway, tokenOf(), fromOf(n));
    const name = `${status} ${code ?? ''}`;
    codes.set(name, (codes.get(name) ?? 0) + 1);
  };
  for (let n = 0; n < times; n += 20) await Promise.all(Array.from({ length: 20 }, (_, i) => one(n + i)));
  return codes;
}

const ATTACKER = '198.51.100.66';

describe('a flood of tokens with bad signatures', () => {
  it('from one address is answered 429 without a look, and keeps nobody else out', async () => {
    const gateway = await gatewayOf(100, 100_000);
    const remembered = fresh(gateway);
    expect((await check(gateway, remembered, ATTACKER)).status).toBe(200);
    const before = await examined(gateway);
    const codes = await flood(
      gateway,
      200,
      () => forged(gateway),
      () => ATTACKER,
    );
    // Each wasted look costs ten; the good one has cost nothing.
    expect(Object.fromEntries(codes)).toEqual({ '401 token_signature_invalid': 10, '429 rate_limited': 190 });
    expect((await examined(gateway)) - before).toBe(10);

    // Nothing is known against this one: it is not called invalid.
    const { status, headers } = await check(gateway, fresh(gateway), ATTACKER);
    expect(status).toBe(429);
    expect(headers.get('www-authenticate')).toBeNull();
    expect(Number(headers.get('retry-after'))).toBeGreaterThan(0);
    expect(headers.get('ratelimit-policy')).toBe('"credentials";q=100;w=86400');
    expect(headers.get('ratelimit')).toMatch(/^"credentials";r=0;t=\d+$/);
    expect(headers.get('content-type')).toBe('application/problem+json');
    // Who is remembered passes there too, and elsewhere everybody does.
    for (let n = 0; n < 50; n++) expect((await check(gateway, remembered, ATTACKER)).status).toBe(200);
    for (let n = 0; n < 20; n++) expect((await check(gateway, fresh(gateway), `203.0.113.${n}`)).status).toBe(200);
    expect(await gateway.page()).toMatch(/wherry_gateway_unexamined_total 191/);
  });

  it('that changes its address in its network, or makes addresses up before that of the proxy, is one', async () => {
    const gateway = await gatewayOf(100, 100_000);
    const ways = [
      (n: number) => `2001:db8:1:2:${n.toString(16)}::1`,
      (n: number) => `203.0.113.${n}, ${ATTACKER}`,
      (n: number) => `${ATTACKER}:${1024 + n}`,
    ];
    for (const [at, from] of ways.entries()) {
      const codes = await flood(gateway, 60, () => forged(gateway), from);
      expect([at, codes.get('401 token_signature_invalid') ?? 0]).toEqual([at, at === 2 ? 0 : 10]);
    }
  });

  it('is counted under the peer, whatever it writes, where that is no proxy of ours', async () => {
    const gateway = await gatewayOf(100, 100_000, { trustedProxies: ['192.0.2.1'] });
    const codes = await flood(
      gateway,
      60,
      () => forged(gateway),
      (n) => `203.0.113.${n}`,
    );
    expect(codes.get('401 token_signature_invalid')).toBe(10);
  });

  it('from everywhere leaves in those from whom a good token has come, and those who are remembered', async () => {
    const gateway = await gatewayOf(100, 1000);
    const remembered = fresh(gateway);
    expect((await check(gateway, remembered, '203.0.113.7')).status).toBe(200);
    const codes = await flood(
      gateway,
      400,
      () => forged(gateway),
      (n) => `198.51.${n >> 8}.${n & 255}`,
    );
    expect((codes.get('401 token_signature_invalid') ?? 0) <= 101).toBe(true);
    expect(codes.get('429 rate_limited')).toBeGreaterThanOrEqual(299);
    expect((await check(gateway, fresh(gateway), '192.0.2.77')).status).toBe(429);
    for (let n = 0; n < 50; n++) expect((await check(gateway, fresh(gateway), '203.0.113.7')).status).toBe(200);
    expect((await check(gateway, remembered, '192.0.2.77')).status).toBe(200);
    // One who has become known spends what is his own, and no more.
    const other = await flood(
      gateway,
      60,
      () => forged(gateway),
      () => '203.0.113.7',
    );
    expect(other.get('401 token_signature_invalid')).toBeLessThanOrEqual(10);
  });

  it('through a proxy that tells no address is bounded over all', async () => {
    const gateway = await gatewayOf(100, 1000);
    const remembered = fresh(gateway);
    expect((await check(gateway, remembered)).status).toBe(200);
    const codes = await flood(
      gateway,
      300,
      () => forged(gateway),
      () => undefined,
    );
    expect(codes.get('401 token_signature_invalid')).toBe(100);
    expect((await check(gateway, remembered)).status).toBe(200);
    expect((await check(gateway, fresh(gateway), '203.0.113.9')).status).toBe(429);
  });

  it('passes by a proxied route as it does by a check, whichever spelling the header has', async () => {
    const upstream = await bench.upstream((_request, response) => response.end('ok'));
    const gateway = await gatewayOf(100, 100_000, { routes: [{ prefix: '/', upstream: upstream.url, auth: 'optional' }] });
    const get = async (authorization: string): Promise<number> => {
      const answer = await fetch(`${gateway.url}/page?x=1`, { headers: { authorization, 'x-forwarded-for': ATTACKER } });
      await answer.text();
      return answer.status;
    };
    const statuses: number[] = [];
    for (let n = 0; n < 20; n++) statuses.push(await get(`${n % 2 === 0 ? 'Bearer' : 'bearer'} ${forged(gateway)}`));
    expect(statuses.filter((status) => status === 401).length).toBe(10);
    expect(statuses.filter((status) => status === 429).length).toBe(10);
    // It never counts as nobody, and who sends nothing still does.
    const plain = await fetch(`${gateway.url}/page`, { headers: { 'x-forwarded-for': ATTACKER } });
    expect([plain.status, await plain.text()]).toEqual([200, 'ok']);
  });
});

describe('tokens that are no good without anybody having made them up', () => {
  it('cost one each: those that have run out, and those of no form', async () => {
    const gateway = await gatewayOf(100, 100_000);
    const past = Math.floor(Date.now() / 1000) - 10_000;
    const codes = await flood(
      gateway,
      60,
      () => gateway.issue({ issuedAt: past, authTime: past }),
      () => ATTACKER,
    );
    expect(Object.fromEntries(codes)).toEqual({ '401 token_expired': 60 });
    const garbage = await flood(
      gateway,
      60,
      () => `eyJ${count++}.x.y`,
      () => ATTACKER,
    );
    expect(garbage.get('429 rate_limited')).toBe(20);
  });
});

describe('a flood of session tokens that name no session', () => {
  it('costs so many reads and no more, also when all come at once', async () => {
    const gateway = await gatewayOf(100, 100_000);
    const all = await Promise.all(Array.from({ length: 100 }, async () => check(gateway, unknownSession(), ATTACKER)));
    expect(all.filter(({ code }) => code === 'session_unknown').length).toBe(10);
    expect(all.filter(({ status }) => status === 429).length).toBe(90);
    const missed = /wherry_gateway_memory_total\{memory="session",result="miss"\} (\d+)/.exec(await gateway.page())?.[1];
    expect(missed).toBe('10');
  });

  it('keeps out no session that lives: remembered, or found lately where nothing is remembered, or from elsewhere', async () => {
    for (const size of [1000, 0]) {
      const gateway = await gatewayOf(100, 100_000, { sessionCache: { size, ttlMs: 3_600_000 } });
      const { token } = await newSession(gateway);
      // However often, and from an address that has little.
      for (let n = 0; n < 30; n++) expect((await check(gateway, token, ATTACKER)).status).toBe(200);
      await flood(gateway, 40, unknownSession, () => ATTACKER);
      expect((await check(gateway, unknownSession(), ATTACKER)).status).toBe(429);
      expect((await check(gateway, token, ATTACKER)).status).toBe(200);
      const { token: elsewhere } = await newSession(gateway);
      expect((await check(gateway, elsewhere, ATTACKER)).status).toBe(429);
      expect((await check(gateway, elsewhere, '203.0.113.8')).status).toBe(200);
    }
  });

  it('costs nothing where a store does not answer: nobody is to blame for that', async () => {
    const gateway = await gatewayOf(100, 100_000, { shardUrl: 'postgres://127.0.0.1:1/none' });
    // One after another: what is under way is counted as if it were wasted.
    for (let n = 0; n < 30; n++) expect((await check(gateway, unknownSession(), ATTACKER)).status).toBe(503);
    expect((await check(gateway, fresh(gateway), ATTACKER)).status).toBe(200);
  });
});
