import { createSecretKey } from 'node:crypto';
import { PATIENT_MS, openWay } from '@wherry/embedded/testing';
import { silentLogger, type WherryError } from '@wherry/core';
import { createMetrics } from '@wherry/core/metrics';
import type { Cluster } from '@wherry/shards/testing';
import fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, describe, expect, inject, it, onTestFinished } from 'vitest';
import { startAuthCluster } from '../testing/cluster.ts';
import { PASSWORD, expectProblem, newName, register } from '../testing/people.ts';
import { COMMON, startService, type Answer, type Running } from '../testing/service.ts';
import { LocalBuckets } from './local-buckets.ts';
import { LogInLimits, type Allowance } from './log-in-limits.ts';
import type { LogInLimitOptions } from './options.ts';

const KEY = createSecretKey(Buffer.alloc(32, 1));
/** Nothing comes back within a test, however slow it is, and control is waited for. */
const STILL = { accountRefillSeconds: 86_400, addressRefillSeconds: 86_400, controlMs: PATIENT_MS } as const;

let cluster: Cluster;
beforeAll(async () => {
  cluster = await startAuthCluster(inject('postgresUrl'));
});
afterAll(() => cluster[Symbol.asyncDispose]());
beforeEach(async () => {
  await cluster.control.query('TRUNCATE login_allowance, login_known');
});

const limitsOf = (limits: LogInLimitOptions, control = cluster.control): LogInLimits =>
  new LogInLimits({ control, limits: { ...STILL, ...limits }, key: KEY, log: silentLogger });
const taken = async (limits: LogInLimits, account: string | undefined, address: string | undefined): Promise<Allowance | undefined> =>
  limits.take(account, address).catch((error: WherryError) => {
    expect(error.code).toBe('too_many_attempts');
    return undefined;
  });
async function countTaken(limits: LogInLimits, tries: number, account: string | undefined, address: string | undefined): Promise<number> {
  const results = await Promise.all(Array.from({ length: tries }, () => taken(limits, account, address)));
  return results.filter((result) => result !== undefined).length;
}
async function rows(): Promise<number> {
  return (await cluster.control.query('SELECT FROM login_allowance')).rows.length;
}

describe('the allowance for log-ins that fail', () => {
  it('is shared by all instances, and holds when many come at once', async () => {
    const [one, other] = [limitsOf({ failuresPerAccountAndAddress: 5 }), limitsOf({ failuresPerAccountAndAddress: 5 })];
    const counts = await Promise.all([countTaken(one, 20, 'ada', '192.0.2.1'), countTaken(other, 20, 'ada', '192.0.2.1')]);
    expect(counts[0] + counts[1]).toBe(5);
    // From another address the account's owner is let in.
    expect(await taken(one, 'ada', '192.0.2.2')).toBeDefined();
    expect(await taken(one, 'grace', '192.0.2.1')).toBeDefined();
  });

  it('bounds an account over all addresses, and an address over all accounts', async () => {
    const limits = limitsOf({ failuresPerAccount: 4, failuresPerAddress: 3 });
    let some = 0;
    for (let n = 0; n < 8; n++) if ((await taken(limits, 'ada', `192.0.2.${n}`)) !== undefined) some++;
    expect(some).toBe(4);
    some = 0;
    for (let n = 0; n < 8; n++) if ((await taken(limits, `user${n}`, '198.51.100.1')) !== undefined) some++;
    expect(some).toBe(3);
  });

  it('is not used up for the owner by somebody who goes on at one address, nor is room for him in the table', async () => {
    const options = { failuresPerAccountAndAddress: 2, failuresPerAccount: 5, failuresPerAddress: 3 };
    expect(await countTaken(limitsOf(options), 50, 'ada', '192.0.2.1')).toBe(2);
    // Each instance anew, so that what it remembers does not help.
    for (let n = 0; n < 5; n++) expect(await taken(limitsOf(options), 'ada', '192.0.2.1')).toBeUndefined();
    expect(await countTaken(limitsOf(options), 5, 'ada', '192.0.2.9')).toBe(2);
    const before = await rows();
    await taken(limitsOf(options), 'nobody0', '192.0.2.1');
    expect(await rows()).toBe(before + 2);
    for (let n = 1; n < 5; n++) expect(await taken(limitsOf(options), `nobody${n}`, '192.0.2.1')).toBeUndefined();
    expect(await rows()).toBe(before + 2);
  });

  it('is given back by a log-in that succeeds, with what had failed from there; one that came to nothing counts not at all', async () => {
    const limits = limitsOf({ failuresPerAccountAndAddress: 3, failuresPerAddress: 3 });
    for (let n = 0; n < 20; n++) await (await taken(limits, 'ada', '192.0.2.1'))?.undecided();
    await taken(limits, 'ada', '192.0.2.1');
    await taken(limits, 'ada', '192.0.2.1');
    await (await taken(limits, 'ada', '192.0.2.1'))?.succeeded();
    // Of the address two have failed; of the account there none counts any more.
    expect(await countTaken(limits, 5, 'grace', '192.0.2.1')).toBe(1);
    expect(await countTaken(limits, 5, 'ada', '192.0.2.1')).toBe(3);
  });

  it('comes back with time, and Retry-After says when', async () => {
    const limits = limitsOf({ failuresPerAccountAndAddress: 2, accountRefillSeconds: 100 });
    const before = Date.now();
    expect(await countTaken(limits, 2, 'ada', '192.0.2.1')).toBe(2);
    const refusal = (await limits.take('ada', '192.0.2.1').catch((error: unknown) => error)) as WherryError;
    const spentS = (Date.now() - before) / 1000;
    expect(refusal.retryAfter).toBeLessThanOrEqual(100);
    expect(refusal.retryAfter).toBeGreaterThanOrEqual(Math.floor(100 - spentS));
    await cluster.control.query('UPDATE login_allowance SET full_at = full_at - 100000');
    expect(await countTaken(limitsOf({ failuresPerAccountAndAddress: 2, accountRefillSeconds: 100 }), 1, 'ada', '192.0.2.1')).toBe(1);
  });

  it('forgets what is full again', async () => {
    const limits = limitsOf({});
    await taken(limits, 'ada', '192.0.2.1');
    await taken(limits, 'grace', '192.0.2.1');
    await cluster.control.query(
      'UPDATE login_allowance SET full_at = wherry_now() WHERE full_at < (SELECT max(full_at) FROM login_allowance)',
    );
    await expect.poll(async () => (await limits.sweep(), rows())).toBe(1);
  });

  it('forgets all of them in one sweep, however many there are', async () => {
    await cluster.control.query(
      `INSERT INTO login_allowance SELECT decode(lpad(to_hex(n), 32, '0'), 'hex'), wherry_now() - 1000 FROM generate_series(1, 3500) n`,
    );
    await taken(limitsOf({}), 'ada', undefined);
    await limitsOf({}).sweep();
    expect(await rows()).toBe(1);
  });

  it('takes no room for log-ins that came to nothing, whatever names they had', async () => {
    const limits = limitsOf({});
    const allowances = await Promise.all(Array.from({ length: 20 }, (_, n) => taken(limits, `nobody${n}`, '192.0.2.1')));
    expect(await rows()).toBe(41);
    await Promise.all(allowances.map(async (allowance) => allowance?.undecided()));
    expect(await rows()).toBe(0);
  });

  it('has one rule, here and in the database', async () => {
    const key = fc.constantFrom('a', 'b', 'c');
    const step = fc.record({ keys: fc.uniqueArray(key, { minLength: 1 }), end: fc.constantFrom('fail', 'give-back', 'empty') });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 25 }), async (steps) => {
        await cluster.control.query('TRUNCATE login_allowance');
        const local = new LocalBuckets();
        for (const { keys, end } of steps) {
          const buckets = keys.map((name, at) => ({
            kind: 'account' as const,
            key: Buffer.from(name).toString('hex'),
            size: 2 + at,
            refillMs: 86_400_000,
          }));
          const columns = [buckets.map((bucket) => Buffer.from(bucket.key, 'hex')), buckets.map(({ refillMs }) => refillMs)];
          const { rows: answers } = await cluster.control.query<{ refused: number }>('SELECT refused FROM wherry_take_login($1, $2, $3)', [
            ...columns,
            buckets.map(({ size }) => size),
          ]);
          const refused = local.take(buckets, performance.now()) !== undefined;
          expect((answers[0]?.refused ?? 0) > 0).toBe(refused);
          if (refused || end === 'fail') continue;
          const emptied = end === 'empty' ? buckets.slice(0, 1) : [];
          local.giveBack(buckets, emptied);
          await cluster.control.query('SELECT wherry_return_login($1, $2, $3)', [
            ...columns,
            emptied.map((bucket) => Buffer.from(bucket.key, 'hex')),
          ]);
        }
      }),
      { numRuns: 30 },
    );
  });
});

describe('an account that others try', () => {
  const OWN = '198.51.100.7';
  const knownRows = async (): Promise<number> => (await cluster.control.query('SELECT FROM login_known')).rows.length;
  /** As many guesses as the defaults let strangers have, each at an instance that remembers nothing. */
  async function guess(addresses: number): Promise<number> {
    let some = 0;
    for (let n = 0; n < addresses; n++) some += await countTaken(limitsOf({}), 12, 'ada', `192.0.2.${n}`);
    return some;
  }

  it('lets its owner in where he has signed in lately, and strangers no further than before', async () => {
    const limits = limitsOf({});
    await (await taken(limits, 'ada', OWN))?.succeeded();
    expect(await guess(12)).toBe(100);
    expect(await taken(limits, 'ada', '203.0.113.1')).toBeUndefined();
    // Also at the instance that remembers the refusal, and at one that knows nothing.
    for (const instance of [limits, limitsOf({}), limits]) {
      const allowance = await taken(instance, 'ada', OWN);
      expect(allowance).toBeDefined();
      await allowance?.succeeded();
    }
    // His success opens nothing to others, nor do his own mistakes last longer than before.
    expect(await taken(limitsOf({}), 'ada', '203.0.113.2')).toBeUndefined();
    expect(await countTaken(limits, 20, 'ada', OWN)).toBe(10);
  });

  it('counts those whose address is not known under the account alone, not as one address', async () => {
    expect(await countTaken(limitsOf({ failuresPerAccount: 30, failuresPerAddress: 5 }), 40, 'ada', undefined)).toBe(30);
    expect(await rows()).toBe(1);
  });

  it('lets him in too while somebody at his address tries other names', async () => {
    const limits = limitsOf({ failuresPerAddress: 5 });
    await (await taken(limits, 'ada', OWN))?.succeeded();
    for (let n = 0; n < 8; n++) await taken(limits, `other${n}`, OWN);
    expect(await taken(limits, 'other9', OWN)).toBeUndefined();
    expect(await taken(limits, 'ada', OWN)).toBeDefined();
  });

  it('is closed to an address that has not signed in to it, or not for long, or where no bucket would bound it', async () => {
    const once = { failuresPerAccount: 1 };
    const limits = limitsOf(once);
    await (await taken(limits, 'grace', OWN))?.succeeded();
    expect(await countTaken(limits, 3, 'ada', OWN)).toBe(1);
    await (await taken(limits, 'mary', OWN))?.succeeded();
    await cluster.control.query('UPDATE login_known SET until = wherry_now() - 1');
    expect(await countTaken(limitsOf(once), 3, 'mary', OWN)).toBe(1);
    for (const off of [{ knownAddressDays: 0 }, { failuresPerAccountAndAddress: 0 }]) {
      await (await taken(limitsOf({ ...once, ...off }), 'emmy', OWN))?.succeeded();
      expect(await countTaken(limitsOf({ ...once, ...off }), 3, 'emmy', OWN)).toBe(1);
      await cluster.control.query('TRUNCATE login_allowance');
    }
  });

  it('is known from twenty addresses and devices at most, the newest, and from none when it was long ago', async () => {
    const limits = limitsOf({});
    for (let n = 0; n < 23; n++) await (await taken(limits, 'ada', `192.0.2.${n}`))?.succeeded();
    expect(await knownRows()).toBe(20);
    await guess(12);
    expect(await taken(limitsOf({}), 'ada', '192.0.2.22')).toBeDefined();
    await cluster.control.query('UPDATE login_known SET until = wherry_now() - 1');
    await limits.sweep();
    expect(await knownRows()).toBe(0);
  });
});

describe('a device on which somebody has signed in', () => {
  const DEVICE = 'd'.repeat(22);
  /** Uses up what may fail for the account from everywhere. */
  const attack = async (): Promise<void> => {
    for (let n = 0; n < 12; n++) await countTaken(limitsOf({}), 10, 'ada', `192.0.2.${n}`);
    expect(await taken(limitsOf({}), 'ada', '203.0.113.1')).toBeUndefined();
  };

  it('has failures of its own, which strangers do not use up, nor it those of others', async () => {
    await limitsOf({}).know('ada', DEVICE);
    await attack();
    // From wherever, also where others have just failed.
    const allowance = await limitsOf({}).take('ada', '192.0.2.3', DEVICE);
    await allowance.succeeded();
    const before = await rows();
    let some = 0;
    for (let n = 0; n < 20; n++) {
      const went = await limitsOf({})
        .take('ada', `198.51.100.${n}`, DEVICE)
        .then(
          () => true,
          () => false,
        );
      if (went) some++;
    }
    expect(some).toBe(10);
    expect(await rows()).toBe(before + 1);
  });

  it('is nothing to another account, nor when it is not remembered any more, nor where that is switched off', async () => {
    await limitsOf({}).know('ada', DEVICE);
    await attack();
    await expect(limitsOf({}).take('ada', '203.0.113.2', 'e'.repeat(22))).rejects.toMatchObject({ code: 'too_many_attempts' });
    for (const off of [{ knownAddressDays: 0 }, { failuresPerAccountAndAddress: 0 }])
      await expect(limitsOf(off).take('ada', '203.0.113.2', DEVICE)).rejects.toMatchObject({ code: 'too_many_attempts' });
    await cluster.control.query('TRUNCATE login_known');
    await expect(limitsOf({}).take('ada', '203.0.113.2', DEVICE)).rejects.toMatchObject({ code: 'too_many_attempts' });
  });

  it('is known by its cookie, which is given to browsers, for one account, and cannot be made up', async () => {
    const auth = await startService(cluster, { logInLimits: STILL });
    onTestFinished(() => auth[Symbol.asyncDispose]());
    const ann = await register(auth);
    const eve = await register(auth);
    const logIn = (username: string, from: string, password: string, cookie?: string, origin = 'https://shop.example'): Promise<Answer> =>
      auth.send('POST', '/v1/login', {
        body: { username, password },
        headers: {
          'x-forwarded-for': from,
          ...(origin === '' ? {} : { origin }),
          ...(cookie === undefined ? {} : { cookie: `a=b; ${cookie}` }),
        },
      });
    const given = await logIn(ann.username, '198.51.100.7', PASSWORD);
    expect(given.headers.get('set-cookie')).toMatch(
      /^__Host-wd=[\w-]{22}\.\d{13}\.[\w-]{43}; Path=\/; Max-Age=2592000; Secure; HttpOnly; SameSite=Lax$/,
    );
    const mark = (given.headers.get('set-cookie') ?? '').split(';')[0] ?? '';
    expect((await logIn(ann.username, '198.51.100.7', PASSWORD, undefined, '')).headers.get('set-cookie')).toBeNull();
    const evesMark = ((await logIn(eve.username, '198.51.100.8', PASSWORD)).headers.get('set-cookie') ?? '').split(';')[0];
    for (let n = 0; n < 10; n++) await Promise.all(Array.from({ length: 10 }, () => logIn(ann.username, `192.0.2.${n}`, 'wrong')));
    expectProblem(await logIn(ann.username, '203.0.113.5', PASSWORD), 429, 'too_many_attempts');
    expectProblem(await logIn(ann.username, '203.0.113.5', PASSWORD, evesMark), 429, 'too_many_attempts');
    const altered = mark.replace(/.$/, (last) => (last === 'A' ? 'E' : 'A'));
    expectProblem(await logIn(ann.username, '203.0.113.5', PASSWORD, altered), 429, 'too_many_attempts');
    expectProblem(await logIn(ann.username, '203.0.113.5', PASSWORD, `${mark}; ${mark}`), 429, 'too_many_attempts');
    const back = await logIn(ann.username.toUpperCase(), '203.0.113.5', PASSWORD, mark);
    // It is not written anew each time.
    expect([back.status, back.headers.get('set-cookie')]).toEqual([200, null]);
    expectProblem(await logIn(ann.username, '203.0.113.6', 'wrong', mark), 401, 'login_failed');
  });
});

describe('POST /v1/users', () => {
  it('lets so many register from an address, whatever comes of it, and the operator as many as he likes', async () => {
    const auth = await startService(cluster, { logInLimits: { registrationsPerAddress: 2, registrationRefillSeconds: 86_400 } });
    onTestFinished(() => auth[Symbol.asyncDispose]());
    const attempt = (username: string, from: string, more: object = {}): Promise<Answer> =>
      auth.send('POST', '/v1/users', {
        body: { username, password: PASSWORD, ...more },
        headers: { 'x-forwarded-for': from, ...('authorities' in more ? { authorization: `Bearer ${COMMON.operatorSecret}` } : {}) },
      });
    const name = newName();
    expect((await attempt(name, '192.0.2.1')).status).toBe(201);
    expectProblem(await attempt(newName(), '192.0.2.1', { password: 'short' }), 400, 'bad_request');
    expectProblem(await attempt(name, '192.0.2.1'), 409, 'username_taken');
    const refused = await attempt(newName(), '192.0.2.1');
    expectProblem(refused, 429, 'too_many_registrations');
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
    expect((await attempt(newName(), '192.0.2.2')).status).toBe(201);
    expect((await attempt(newName(), '192.0.2.1', { authorities: ['user'] })).status).toBe(201);
    // Whoever registers there can also log in.
    const login = { body: { username: name, password: PASSWORD }, headers: { 'x-forwarded-for': '192.0.2.1' } };
    expect((await auth.send('POST', '/v1/login', login)).status).toBe(200);
  });
});

describe('without the control database', () => {
  it('every instance counts by itself', async () => {
    const way = await openWay(cluster.controlUrl);
    const { control, shards } = cluster.connect({ controlUrl: way.url });
    onTestFinished(async () => {
      way.mend();
      await shards.stop();
      await control.end();
      await way[Symbol.asyncDispose]();
    });
    const limits = limitsOf({ failuresPerAccountAndAddress: 3, failuresPerAccount: 45, controlMs: 10 }, control);
    way.sever();
    expect(await countTaken(limits, 10, 'ada', '192.0.2.1')).toBe(3);
    await (await taken(limits, 'grace', '192.0.2.1'))?.succeeded();
    // Whoever has signed in here is known here.
    for (let n = 0; n < 45; n++) await taken(limits, 'grace', `192.0.2.${100 + n}`);
    expect(await taken(limits, 'grace', '192.0.2.200')).toBeUndefined();
    expect(await taken(limits, 'grace', '192.0.2.1')).toBeDefined();
    // A device has its proof with it.
    expect(await limits.take('grace', '192.0.2.201', 'd'.repeat(22))).toBeDefined();
    await limits.know('grace', 'd'.repeat(22));
    expect(await rows()).toBe(0);
  });
});

describe('POST /v1/login', () => {
  async function service(logInLimits: LogInLimitOptions): Promise<Running> {
    const running = await startService(cluster, { logInLimits: { ...STILL, ...logInLimits }, metrics: createMetrics() });
    onTestFinished(() => running[Symbol.asyncDispose]());
    return running;
  }
  const attempt = (at: Running, username: string, password: string, forwarded?: string): Promise<Answer> =>
    at.send('POST', '/v1/login', {
      body: { username, password },
      ...(forwarded === undefined ? {} : { headers: { 'x-forwarded-for': forwarded } }),
    });

  it('answers 429 with Retry-After, computes no hash, and says it in the metrics', async () => {
    const auth = await service({ failuresPerAccountAndAddress: 3 });
    const { username } = await register(auth);
    for (let n = 0; n < 3; n++) expectProblem(await attempt(auth, username, 'wrong', '192.0.2.1'), 401, 'login_failed');
    const before = auth.service.passwordsComputed;
    // However the name is spelt.
    const refused = await attempt(auth, username.toUpperCase(), PASSWORD, '192.0.2.1');
    expectProblem(refused, 429, 'too_many_attempts');
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
    expect(auth.service.passwordsComputed).toBe(before);
    expect((await attempt(auth, username, PASSWORD, '192.0.2.2')).status).toBe(200);
    const page = (await auth.send('GET', '/metrics')).text;
    expect(page).toMatch(/wherry_auth_log_ins_throttled_total\{limit="account_and_address"\} 1/);
    expect(page).toMatch(/wherry_auth_refused_total\{route="\/v1\/login",code="too_many_attempts"\} 1/);
  });

  it('lets the owner in while strangers try his account with all that the defaults allow', async () => {
    const auth = await service({});
    const { username } = await register(auth);
    expect((await attempt(auth, username, PASSWORD, '198.51.100.7')).status).toBe(200);
    for (let n = 0; n < 10; n++) {
      const answers = await Promise.all(Array.from({ length: 10 }, () => attempt(auth, username, 'wrong', `192.0.2.${n}`)));
      for (const answer of answers) expectProblem(answer, 401, 'login_failed');
    }
    expectProblem(await attempt(auth, username, PASSWORD, '192.0.2.99'), 429, 'too_many_attempts');
    expect((await attempt(auth, username, PASSWORD, '198.51.100.7')).status).toBe(200);
  });

  it('tells nothing about which names exist', async () => {
    const auth = await service({ failuresPerAccountAndAddress: 2 });
    for (let n = 0; n < 2; n++) expectProblem(await attempt(auth, 'nobody-here', 'wrong', '192.0.2.3'), 401, 'login_failed');
    expectProblem(await attempt(auth, 'nobody-here', 'wrong', '192.0.2.3'), 429, 'too_many_attempts');
  });

  it('does not slow down whoever knows his password', async () => {
    const auth = await service({ failuresPerAccountAndAddress: 2, failuresPerAddress: 2 });
    const { username } = await register(auth);
    for (let n = 0; n < 6; n++) expect((await attempt(auth, username, PASSWORD, '192.0.2.4')).status).toBe(200);
  });

  it('believes the address that a proxy of ours tells, and not what the client has told the proxy', async () => {
    const auth = await service({ failuresPerAddress: 2 });
    for (let n = 0; n < 2; n++)
      expectProblem(await attempt(auth, `somebody${n}`, 'wrong', `203.0.113.${n}, 192.0.2.5`), 401, 'login_failed');
    expectProblem(await attempt(auth, 'somebody9', 'wrong', '203.0.113.9, 192.0.2.5'), 429, 'too_many_attempts');
    // However the proxy writes it.
    expectProblem(await attempt(auth, 'somebody9', 'wrong', '192.0.2.5:61234'), 429, 'too_many_attempts');
    // A proxy that tells nothing is not a client.
    for (let n = 0; n < 4; n++) expectProblem(await attempt(auth, `other${n}`, 'wrong'), 401, 'login_failed');
  });
});
