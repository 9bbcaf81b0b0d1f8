import type { Cluster } from '@wherry/shards/testing';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { startAuthCluster } from '../testing/cluster.ts';
import { PASSWORD, register } from '../testing/people.ts';
import { COMMON, EXCHANGE, basicHeader, startService, type Answer, type Running } from '../testing/service.ts';

/** Statements about log-ins that were sent to control. */
const asked: string[] = [];
let cluster: Cluster;
let auth: Running;
let statements: () => number;
let end: () => Promise<void>;

beforeAll(async () => {
  cluster = await startAuthCluster(inject('postgresUrl'), 'target');
  const { control, shards } = cluster.connect();
  const query = control.query.bind(control) as (...parameters: unknown[]) => Promise<unknown>;
  Object.assign(control, {
    query: async (...parameters: unknown[]) => {
      const [first] = parameters;
      const text = typeof first === 'string' ? first : String((first as { readonly text?: string }).text);
      const about = /wherry_take_login|wherry_return_login|wherry_know_login|login_known/.exec(text)?.[0];
      if (about !== undefined) asked.push(about);
      return query(...parameters);
    },
  });
  statements = () => shards.all.reduce((sum, { counts }) => sum + counts.statements, 0);
  auth = await startService(cluster, {
    control,
    shards,
    logInLimits: { failuresPerAccount: 100_000, failuresPerAccountAndAddress: 100_000, failuresPerAddress: 100_000 },
  });
  end = async () => {
    await shards.stop();
    await control.end();
  };
});
afterAll(async () => {
  await auth[Symbol.asyncDispose]();
  await end();
  await cluster[Symbol.asyncDispose]();
});

/** What an answer tells, but for what tells requests apart. */
function told({ status, headers, text }: Answer): string {
  const rest = [...headers].filter(([name]) => name !== 'date' && name !== 'x-request-id');
  return JSON.stringify([status, rest, text]);
}

/** The answer, and the work that it took: hashes, statements to the shards, statements to control. */
async function costOf(attempt: () => Promise<Answer>): Promise<string> {
  asked.length = 0;
  const [hashes, sent] = [auth.service.passwordsComputed, statements()];
  const answer = await attempt();
  return JSON.stringify({
    told: told(answer),
    hashes: auth.service.passwordsComputed - hashes,
    sent: statements() - sent,
    asked: asked.toSorted(),
  });
}

describe('a log-in that is refused', () => {
  const logIn = async (username: string, password: string): Promise<Answer> =>
    auth.send('POST', '/v1/login', {
      body: { username, password },
      headers: { 'x-forwarded-for': '198.51.100.1', origin: 'https://shop.example' },
    });

  it('takes the same work and says the same, whether the name is known, disabled, half registered or nobody has it', async () => {
    const known = await register(auth);
    const disabled = await register(auth);
    const answer = await auth.send('POST', `/v1/admin/users/${disabled.userId}/disable`, {
      bearer: COMMON.operatorSecret,
      body: { reason: 'test' },
    });
    expect(answer.status).toBe(200);
    const pending = await register(auth);
    for (const { database } of cluster.shards.all)
      await database.query("UPDATE app_user SET state = 'pending' WHERE id = $1", [pending.userId]);

    const found = new Map<string, Set<string>>();
    const note = (cost: string, of: string): void => void found.set(cost, (found.get(cost) ?? new Set()).add(of));
    for (let n = 0; n < 20; n++) {
      note(await costOf(() => logIn(known.username, `wrong ${n}`)), 'known');
      note(await costOf(() => logIn(`nobody-${n}`, `wrong ${n}`)), 'nobody');
      note(await costOf(() => logIn(disabled.username, `wrong ${n}`)), 'disabled');
      note(await costOf(() => logIn(pending.username, PASSWORD)), 'pending');
    }
    expect([...found.values()]).toEqual([new Set(['known', 'nobody', 'disabled', 'pending'])]);
    const [only = '{}'] = found.keys();
    expect(JSON.parse(only)).toMatchObject({ hashes: 1, sent: 2, asked: ['wherry_take_login'] });
    expect(only).toContain('login_failed');
  });

  it('is told from one that succeeds, or the figures above would prove nothing', async () => {
    const { username } = await register(auth);
    const good = JSON.parse(await costOf(() => logIn(username, PASSWORD))) as { readonly sent: number; readonly asked: readonly string[] };
    expect(good.sent).toBeGreaterThan(2);
    expect(good.asked.length).toBeGreaterThan(1);
  });
});

describe('a client that is refused', () => {
  it('is told the same whether its id is known or not, and no store is asked', async () => {
    const form = { grant_type: EXCHANGE, subject_token_type: 'urn:wherry:token-type:session', subject_token: 'st_x' };
    const costs = new Set<string>();
    for (let n = 0; n < 10; n++) {
      for (const header of [basicHeader('shop', `wrong ${n}`), basicHeader(`nobody-${n}`, 'shop secret'), basicHeader('page', '')])
        costs.add(await costOf(() => auth.exchange(form, { authorization: header })));
    }
    expect(costs.size).toBe(1);
    expect([...costs][0]).toContain('client_unauthenticated');
    expect(JSON.parse([...costs][0] ?? '{}')).toMatchObject({ hashes: 0, sent: 0, asked: [] });
  });
});
