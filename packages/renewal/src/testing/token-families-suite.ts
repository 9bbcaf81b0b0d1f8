import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { credentialText, newFamilyId, readCredential, siblingCredential, type RenewalCredential } from '../credential.ts';
import type { FamilyBeginning, Renewal } from '../renewal.ts';
import { IDLE_MS, WINDOW_MS, beginning, newSessionId, presenting, startFamilyCluster, type FamilyCluster } from './cluster.ts';

/** What holds of token families on every dialect; `unstorable` is what this one cannot hold. Control is the PostgreSQL of the project; the shards are on `shardServerUrl`. */
export function tokenFamiliesSuite(shardServerUrl: () => string, unstorable: Partial<FamilyBeginning>): void {
  let cluster: FamilyCluster;
  beforeAll(async () => {
    cluster = await startFamilyCluster(inject('postgresUrl'), shardServerUrl());
  });
  afterAll(async () => cluster[Symbol.asyncDispose]());

  const T = 1_800_000_000_000;
  const GRACE_MS = 30_000;

  const renew = async (credential: string, now: number, part: Parameters<typeof presenting>[0] = {}): Promise<Renewal> =>
    cluster.families.renew({ credential, ...presenting({ now, ...part }) });

  async function renewed(credential: string, now: number): Promise<string> {
    const renewal = await renew(credential, now);
    if (renewal.outcome !== 'renewed') throw new Error(`not renewed but ${renewal.outcome}`);
    return renewal.successor;
  }

  const parts = (text: string): RenewalCredential => readCredential(text)!;

  test('a current credential is rotated, its successor likewise, and each says of whom it is', async () => {
    const { credential, slot, id } = await cluster.families.begin(beginning({ now: T }));
    const first = await renew(credential, T + 1000);
    expect(first).toMatchObject({
      outcome: 'renewed',
      repeated: false,
      family: {
        slot,
        id,
        userId: '7',
        clientId: 'web',
        mode: 'credential',
        generation: 3,
        renewals: 1,
        createTime: T,
        idleExpiry: T + 1000 + IDLE_MS,
      },
    });
    const successor = first.outcome === 'renewed' ? first.successor : '';
    expect(parts(successor)).toEqual({ ...parts(credential), secret: parts(successor).secret });
    expect(await renew(successor, T + 2000)).toMatchObject({ outcome: 'renewed', repeated: false, family: { renewals: 2 } });
  });

  test('a reply that was lost is repeated word for word within the grace, also at its last moment', async () => {
    const { credential } = await cluster.families.begin(beginning({ now: T }));
    const successor = await renewed(credential, T);
    for (const now of [T, T + 1, T + GRACE_MS])
      expect(await renew(credential, now)).toMatchObject({ outcome: 'renewed', successor, repeated: true, family: { renewals: 1 } });
    expect(await renew(successor, T + GRACE_MS)).toMatchObject({ outcome: 'renewed', repeated: false });
  });

  test('later than the grace another successor is made, and the one that never came back is superseded: it ends the family', async () => {
    const { credential } = await cluster.families.begin(beginning({ now: T }));
    const lost = await renewed(credential, T);
    const second = await renewed(credential, T + GRACE_MS + 1);
    expect(second).not.toBe(lost);
    // The grace is that of the second one now, so all who repeat meanwhile have the same.
    expect(await renewed(credential, T + GRACE_MS + 2)).toBe(second);
    expect(await renew(lost, T + GRACE_MS + 3)).toMatchObject({ outcome: 'reused', first: true });
    expect(await renew(second, T + GRACE_MS + 4)).toMatchObject({ outcome: 'reused', first: false });
  });

  test('a credential whose successor never came back is renewed until the window has passed since it was first rotated, then it is reuse', async () => {
    const { credential } = await cluster.families.begin(beginning({ now: T }));
    await renewed(credential, T);
    for (let now = T + 40_000; now <= T + WINDOW_MS; now += 40_000) await renewed(credential, now);
    expect(await renew(credential, T + WINDOW_MS + GRACE_MS + 1)).toMatchObject({ outcome: 'reused', first: true });
  });

  test('a replay after the successor was used ends the family, within the grace as well, and says so every time', async () => {
    for (const later of [0, GRACE_MS + 1, WINDOW_MS + 1]) {
      const { credential } = await cluster.families.begin(beginning({ now: T }));
      const second = await renewed(credential, T);
      const third = await renewed(second, T);
      expect(await renew(credential, T + later)).toMatchObject({ outcome: 'reused', first: true, family: { userId: '7' } });
      for (const old of [credential, second, third]) expect(await renew(old, T + later)).toMatchObject({ outcome: 'reused', first: false });
    }
  });

  test('caps deny and change nothing: idle, absolute, and a generation below the least one', async () => {
    const idle = await cluster.families.begin(beginning({ now: T }));
    expect(await renew(idle.credential, T + IDLE_MS)).toMatchObject({ outcome: 'expired' });
    const next = await renewed(idle.credential, T + IDLE_MS - 1);
    expect(await renew(next, T + 2 * IDLE_MS - 2)).toMatchObject({ outcome: 'renewed' });

    const absolute = await cluster.families.begin(beginning({ now: T, absoluteExpiry: T + 5000 }));
    expect(await renew(absolute.credential, T + 5000)).toMatchObject({ outcome: 'expired' });
    expect(await renew(absolute.credential, T + 4999)).toMatchObject({ outcome: 'renewed' });

    const old = await cluster.families.begin(beginning({ now: T }));
    expect(await renew(old.credential, T, { minimumGeneration: 4 })).toMatchObject({ outcome: 'generation_old' });
    // As that of a disabled user is.
    expect(await renew(old.credential, T, { minimumGeneration: Number.POSITIVE_INFINITY })).toMatchObject({ outcome: 'generation_old' });
    expect(await renew(old.credential, T, { minimumGeneration: 3 })).toMatchObject({ outcome: 'renewed' });
  });

  test('without a time the clock of the shard counts', async () => {
    const { credential } = await cluster.families.begin(beginning({ absoluteExpiry: Date.now() + 3_600_000 }));
    expect(await cluster.families.renew({ credential, ...presenting() })).toMatchObject({ outcome: 'renewed' });
    const late = await cluster.families.begin(beginning({ absoluteExpiry: Date.now() - 3_600_000 }));
    expect(await cluster.families.renew({ credential: late.credential, ...presenting() })).toMatchObject({ outcome: 'expired' });
  });

  test('who has had no credential of the family cannot end it nor learn of it, whatever he makes up', async () => {
    const { credential } = await cluster.families.begin(beginning({ now: T }));
    const other = await cluster.families.begin(beginning({ now: T }));
    const own = parts(credential);
    const forged: RenewalCredential[] = [
      { ...own, familySecret: Buffer.alloc(16) },
      { ...own, familySecret: Buffer.from(own.familySecret.map((byte, i) => (i === 15 ? byte ^ 1 : byte))) },
      { ...own, familySecret: parts(other.credential).familySecret, secret: parts(other.credential).secret },
      { ...own, familyId: parts(other.credential).familyId },
      { ...own, sessionId: parts(other.credential).sessionId, slot: parts(other.credential).slot },
      { ...own, familyId: 1n },
      { ...own, mode: 'bearer' },
    ];
    for (const attempt of forged) {
      const text = credentialText(attempt);
      expect(await renew(text, T)).toEqual({ outcome: 'unknown' });
      expect(await cluster.families.end(text)).toBeUndefined();
      expect(await cluster.families.inspect({ credential: text, ...presenting({ now: T }) })).toBeUndefined();
    }
    for (const text of ['', 'rt_', credential.slice(0, -1), `${credential}A`]) expect(await renew(text, T)).toEqual({ outcome: 'unknown' });
    expect(await renew(credential, T)).toMatchObject({ outcome: 'renewed' });
    // One who has had one can: it is what reuse is told by.
    expect(await renew(credentialText(siblingCredential(own)), T)).toMatchObject({ outcome: 'reused' });
  });

  test('a credential serves the client and the key that it is bound to, and others end nothing', async () => {
    const { credential } = await cluster.families.begin(beginning({ now: T, boundTo: 'thumb' }));
    expect(await renew(credential, T)).toEqual({ outcome: 'unknown' });
    expect(await renew(credential, T, { boundTo: 'else' })).toEqual({ outcome: 'unknown' });
    expect(await renew(credential, T, { boundTo: 'thumb', clientId: 'native' })).toEqual({ outcome: 'unknown' });
    expect(await cluster.families.end(credential, { clientId: 'native' })).toBeUndefined();
    const first = await renew(credential, T, { boundTo: 'thumb', clientId: 'web' });
    expect(first).toMatchObject({ outcome: 'renewed', family: { boundTo: 'thumb' } });
    // Also old ones: a replay without the key is no proof that the key's owner lost anything but the text.
    expect(await renew(credential, T + WINDOW_MS + 1, { boundTo: 'else' })).toEqual({ outcome: 'unknown' });
  });

  test('a family has the id that was chosen for it', async () => {
    const id = newFamilyId();
    const begun = await cluster.families.begin(beginning({ now: T, id }));
    expect(begun.id).toBe(id);
    expect(await renew(begun.credential, T)).toMatchObject({ outcome: 'renewed', family: { id } });
  });

  test('clients, keys and users are told apart by each byte, case and spaces at the end too', async () => {
    const { families } = cluster;
    const { credential } = await families.begin(beginning({ now: T, boundTo: 'thumb' }));
    for (const part of [
      { boundTo: 'THUMB' },
      { boundTo: 'thumb ' },
      { boundTo: 'thumb', clientId: 'Web' },
      { boundTo: 'thumb', clientId: 'web ' },
    ])
      expect(await renew(credential, T, part)).toEqual({ outcome: 'unknown' });
    expect(await renew(credential, T, { boundTo: 'thumb', clientId: 'web' })).toMatchObject({ outcome: 'renewed' });
    const users = ['ada', 'Ada', 'ada ', 'adá'];
    const begun = await Promise.all(users.map(async (userId) => families.begin(beginning({ now: T, userId, generation: 0 }))));
    expect(await families.endUser('ada', 1)).toBe(1);
    const left = await Promise.all(begun.map(async (each) => (await renew(each.credential, T)).outcome));
    expect(left).toEqual(['ended', 'renewed', 'renewed', 'renewed']);
    const sessionId = newSessionId();
    for (const clientId of ['web', 'Web']) await families.begin(beginning({ now: T, sessionId, clientId }));
    await families.noteProof(sessionId, 'Web', T);
    expect(await families.evidenceOf(sessionId)).toMatchObject([
      { clientId: 'Web', provedAt: T },
      { clientId: 'web', provedAt: null },
    ]);
  });

  test('a family ends by any of its credentials, by its session, by its user; others go on', async () => {
    const { families } = cluster;
    const revoked = await families.begin(beginning({ now: T }));
    const next = await renewed(revoked.credential, T);
    expect(await families.end(revoked.credential, { clientId: 'web', now: T })).toBe(revoked.id);
    // Again, by whoever got no answer.
    expect(await families.end(next)).toBe(revoked.id);
    expect(await renew(next, T)).toMatchObject({ outcome: 'ended', reason: 'revoked' });
    // What has ended is not reused any more, whichever is presented.
    expect(await renew(revoked.credential, T + WINDOW_MS)).toMatchObject({ outcome: 'ended', reason: 'revoked' });

    const sessionId = newSessionId();
    const [web, native, elsewhere] = await Promise.all([
      families.begin(beginning({ now: T, sessionId })),
      families.begin(beginning({ now: T, sessionId, clientId: 'native' })),
      families.begin(beginning({ now: T })),
    ]);
    await families.endOfSession(sessionId);
    await families.endOfSession(sessionId);
    await families.endOfSession(newSessionId());
    for (const { credential } of [web, native])
      expect(await renew(credential, T)).toMatchObject({ outcome: 'ended', reason: 'session_ended' });
    expect(await renew(elsewhere.credential, T)).toMatchObject({ outcome: 'renewed' });

    const user = await Promise.all(
      Array.from({ length: 40 }, async (_, i) => families.begin(beginning({ now: T, userId: 'many', generation: i % 2 }))),
    );
    expect(await families.endUser('many', 1)).toBe(20);
    expect(await families.endUser('many', 1)).toBe(0);
    const left = await Promise.all(user.map(async ({ credential }) => (await renew(credential, T)).outcome));
    expect(left).toEqual(user.map((_, i) => (i % 2 === 0 ? 'ended' : 'renewed')));
  });

  test('a session has a bounded number of living families: one more ends that which was idle longest, none that is at its end counts', async () => {
    await using instance = await cluster.instance({ maxPerSession: 3 });
    const { families } = instance;
    const sessionId = newSessionId();
    await families.begin(beginning({ now: T - IDLE_MS, sessionId }));
    const begun: string[] = [];
    for (let i = 0; i < 3; i++) begun.push((await families.begin(beginning({ now: T + i, sessionId }))).credential);
    const [first = '', second = '', third = ''] = begun;
    const used = await renewed(first, T + 10);
    await families.begin(beginning({ now: T + 20, sessionId }));
    expect(await renew(second, T + 20)).toMatchObject({ outcome: 'ended', reason: 'replaced' });
    expect(await renew(used, T + 20)).toMatchObject({ outcome: 'renewed' });
    expect(await renew(third, T + 20)).toMatchObject({ outcome: 'renewed' });

    const crowd = newSessionId();
    await Promise.all(Array.from({ length: 12 }, async () => families.begin(beginning({ now: T, sessionId: crowd }))));
    await families.begin(beginning({ now: T, sessionId: crowd }));
    const rows = await Promise.all(
      cluster.shards.all.map(async ({ database }) =>
        database.query<{ n: bigint }>('SELECT count(*) AS n FROM token_family WHERE session_id = $1 AND ended_at IS NULL', [crowd]),
      ),
    );
    expect(rows.reduce((sum, result) => sum + Number(result.rows[0]?.n), 0)).toBe(3);
  });

  test('inspection tells what would be renewed, and changes nothing', async () => {
    const { families } = cluster;
    const inspect = async (credential: string, now: number) => families.inspect({ credential, ...presenting({ now }) });
    const { credential, id } = await families.begin(beginning({ now: T }));
    expect(await inspect(credential, T)).toMatchObject({ id, userId: '7' });
    expect(await inspect(credential, T + IDLE_MS)).toBeUndefined();
    const second = await renewed(credential, T);
    for (const text of [credential, second]) expect(await inspect(text, T)).toMatchObject({ id });
    const third = await renewed(second, T);
    expect(await inspect(credential, T)).toBeUndefined();
    expect(await inspect(third, T)).toMatchObject({ id });
    await families.end(third);
    expect(await inspect(third, T)).toBeUndefined();
  });

  test('a row holds no secret, neither of a credential nor of a successor', async () => {
    const { credential, slot, id } = await cluster.families.begin(beginning({ now: T }));
    const texts = [credential, await renewed(credential, T)];
    texts.push(await renewed(texts[1] ?? '', T));
    const { database } = cluster.shards.shard(cluster.map.shardOf(slot));
    const { rows } = await database.query('SELECT * FROM token_family WHERE slot = $1 AND id = $2', [slot, id]);
    const values: unknown[] = Object.values(rows[0] ?? {});
    const row = values.map((value) => (value instanceof Buffer ? value.toString('hex') : String(value))).join(' ');
    expect(row).toContain('web');
    for (const { secret, familySecret } of texts.map(parts)) {
      expect(row).not.toContain(secret.toString('hex'));
      expect(row).not.toContain(familySecret.toString('hex'));
    }
  });

  test('a value that the database cannot store fails alone', async () => {
    const { families } = cluster;
    const [good, bad] = await Promise.allSettled([
      families.begin(beginning({ now: T })),
      families.begin(beginning({ now: T, ...unstorable })),
    ]);
    expect(good.status).toBe('fulfilled');
    expect(bad).toMatchObject({ status: 'rejected', reason: { code: 'record_unstorable' } });
  });
}
