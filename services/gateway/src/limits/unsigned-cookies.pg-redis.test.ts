import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { PATIENT_MS } from '@wherry/embedded/testing';
import { ExpressCookie, SESSION_FORMATS, type SessionCookie, type SourceStore } from '@wherry/sessions';
import { createRedisSource } from '@wherry/sessions/redis';
import { Workbench, type RunningGateway } from '../testing/workbench.ts';

const HOUR = 3_600_000;
const signed = new ExpressCookie({ secrets: ['keyboard cat'] });
const unsigned = SESSION_FORMATS.find(({ name }) => name === 'php')!.cookie({ secrets: [] });
const ATTACKER = '198.51.100.66';
const made = (): string => randomBytes(16).toString('hex');

let bench: Workbench;
let source: SourceStore;
beforeAll(async () => {
  bench = await Workbench.create(inject('postgresUrl'), 'source');
  source = createRedisSource({ url: inject('redisUrl'), prefix: `${made()}:`, timeoutMs: PATIENT_MS });
});
afterAll(async () => {
  await bench[Symbol.asyncDispose]();
  await source.close();
});

/** Nothing comes back within a test: an address has ten looks that are wasted. */
async function gatewayOf(cookie: SessionCookie): Promise<RunningGateway> {
  return bench.gateway({ source, cookie, examinations: { perAddress: '100/1d', overall: '100000/1d' } });
}

async function check({ url }: RunningGateway, cookie: string, from: string): Promise<string> {
  const answer = await fetch(`${url}/auth`, { headers: { cookie, 'x-forwarded-for': from } });
  await answer.text();
  return `${answer.status} ${answer.headers.get('x-wherry-reason') ?? ''}`;
}

async function flood(gateway: RunningGateway, cookie: SessionCookie): Promise<Record<string, number>> {
  const codes = await Promise.all(Array.from({ length: 100 }, () => check(gateway, cookie.build(made()), ATTACKER)));
  return Object.fromEntries([...Map.groupBy(codes, (code) => code)].map(([code, all]) => [code, all.length]));
}

describe('cookies that name no session', () => {
  it('cost so many reads and no more where anybody can make one up, also when all come at once', async () => {
    const gateway = await gatewayOf(unsigned);
    expect(await flood(gateway, unsigned)).toEqual({ '401 session_unknown': 10, '429 rate_limited': 90 });
    expect(await check(gateway, unsigned.build(made()), '203.0.113.9')).toBe('401 session_unknown');
  });

  it('are looked up each time where the application has signed them', async () => {
    const gateway = await gatewayOf(signed);
    expect(await flood(gateway, signed)).toEqual({ '401 session_unknown': 100 });
  });

  it('keep out nobody whose session was found lately, nor those from elsewhere', async () => {
    const gateway = await gatewayOf(unsigned);
    const [known, elsewhere] = [made(), made()];
    for (const rawId of [known, elsewhere])
      await source.save(rawId, JSON.stringify({ cookie: {}, user: { id: 42, name: 'ann', roles: [] } }), HOUR, 0);
    expect(await check(gateway, unsigned.build(known), ATTACKER)).toBe('200 ');
    await flood(gateway, unsigned);
    for (let n = 0; n < 30; n++) expect(await check(gateway, unsigned.build(known), ATTACKER)).toBe('200 ');
    expect(await check(gateway, unsigned.build(elsewhere), ATTACKER)).toBe('429 rate_limited');
    expect(await check(gateway, unsigned.build(elsewhere), '203.0.113.9')).toBe('200 ');
  });

  it('never reach the store with an id that none can be', async () => {
    const gateway = await gatewayOf(unsigned);
    for (let n = 0; n < 30; n++)
      expect(await check(gateway, `${unsigned.name}=${'a'.repeat(300)}`, ATTACKER)).toBe('401 session_cookie_invalid');
    expect(await check(gateway, unsigned.build(made()), ATTACKER)).toBe('401 session_unknown');
  });
});
