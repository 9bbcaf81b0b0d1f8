import '@wherry/embedded/testing';
import type { Database } from '@wherry/core/control';
import { carriedSessionKey } from '@wherry/sessions';
import { afterEach, beforeEach, expect, inject, test } from 'vitest';
import { Workbench } from '../testing/workbench.ts';
import { lastDifferences, newestVerification, recordDifference } from '../verify/differences.ts';
import { Journal } from './journal.ts';
import { askVerification, isVerificationWanted, readMigration } from './state.ts';

let bench: Workbench;
let control: Database;
let journal: Journal;
beforeEach(async () => {
  bench = await Workbench.create(inject('postgresUrl'));
  const { runtime } = await bench.process('migrator');
  control = runtime.control;
  journal = new Journal({ database: control, instance: () => runtime.instance.id });
  expect(await journal.lead()).toBe(true);
});
afterEach(() => bench.close());

const PART = { part: 'target 0', incarnation: '', expected: 0 };
const EQUAL = { compared: 7, differences: {}, equal: true };
const KEY = carriedSessionKey('a session');

test('a verification that is resumed counts from its start, because of what it had compared by then', async () => {
  const first = await journal.beginVerification();
  await journal.parts.open('verify', first.pass, [PART]);
  const claim = await journal.parts.claim('verify');
  if (claim === undefined) throw new Error('nothing to claim');
  await journal.parts.save(claim, { incarnation: '', cursor: null, done: true, counts: {} }, { rate: 0, pace: {} });
  // As after a crash: what is done stays done, so the start must stay the start.
  expect(await journal.beginVerification()).toEqual(first);
  await journal.parts.open('verify', first.pass, [PART]);
  expect(await journal.parts.view('verify')).toMatchObject([{ part: 'target 0', done: true }]);
  await journal.endVerification(first, EQUAL);
  expect((await journal.read()).verifiedSince).toBe(first.startedAt);
  const second = await journal.beginVerification();
  expect(second.pass).toBeGreaterThan(first.pass);
  expect(second.startedAt).toBeGreaterThanOrEqual(first.startedAt);
  expect(await journal.parts.view('verify')).toEqual([]);
});

test('only what was equal counts as verified, and only whoever leads may say so', async () => {
  const pass = await journal.beginVerification();
  await journal.endVerification(pass, { compared: 7, differences: { missing: 1 }, equal: false });
  expect((await journal.read()).verifiedSince).toBeNull();
  const next = await journal.beginVerification();
  await control.query("UPDATE migration SET leader = 'another'");
  await expect(journal.endVerification(next, EQUAL)).rejects.toMatchObject({ code: 'lease_lost' });
  await expect(journal.beginVerification()).rejects.toMatchObject({ code: 'lease_lost' });
  expect(await newestVerification(control)).toMatchObject({ endedAt: null, compared: 0 });
});

test('the newest pass shows its own differences, and whether they stand', async () => {
  expect(await newestVerification(control)).toBeUndefined();
  const first = await journal.beginVerification();
  await recordDifference(control, first, KEY, { class: 'missing', detail: 'not at the target' }, false);
  await recordDifference(control, first, { slot: KEY.slot, id: 1n }, { class: 'differs', detail: 'expiry' }, true);
  const differences = { differs: 1, missing: 1 };
  expect(await newestVerification(control)).toMatchObject({ endedAt: null, differences, standing: 1 });
  await journal.endVerification(first, { compared: 9, differences, equal: false });
  expect(await newestVerification(control)).toMatchObject({ compared: 9, differences, standing: 1 });
  const second = await journal.beginVerification();
  expect(await newestVerification(control)).toMatchObject({ endedAt: null, differences: {}, standing: 0 });
  // The same session again: it is mended now.
  await recordDifference(control, second, KEY, { class: 'differs', detail: 'expiry' }, true);
  await journal.endVerification(second, { compared: 9, differences: { differs: 1 }, equal: false });
  expect(await newestVerification(control)).toMatchObject({ differences: { differs: 1 }, standing: 0 });
  await journal.endVerification(await journal.beginVerification(), EQUAL);
  expect(await newestVerification(control)).toMatchObject({ compared: 7, differences: {}, standing: 0 });
  expect(await lastDifferences(control)).toEqual({ startedAt: second.startedAt, differences: { differs: 1 } });
});

test('what earlier passes found is forgotten after a week, when another pass has ended', async () => {
  const first = await journal.beginVerification();
  await recordDifference(control, first, KEY, { class: 'missing', detail: 'not at the target' }, true);
  await journal.endVerification(first, { compared: 1, differences: { missing: 1 }, equal: false });
  await recordDifference(control, first, { slot: 1, id: 2n }, { class: 'differs', detail: 'expiry' }, true);
  const week = 7 * 86_400_000;
  await control.query('UPDATE migration_difference SET seen_at = seen_at - $1::bigint WHERE id = $2', [week, KEY.id]);
  await control.query('UPDATE migration_verification SET started_at = started_at - $1::bigint', [week]);
  const ids = async (): Promise<bigint[]> =>
    (await control.query<{ id: bigint }>('SELECT id FROM migration_difference')).rows.map(({ id }) => id);
  const second = await journal.beginVerification();
  expect(await ids()).toHaveLength(2);
  await journal.endVerification(second, EQUAL);
  expect(await ids()).toEqual([2n]);
  expect(await lastDifferences(control)).toBeUndefined();
});

test('an operator asks for a verification, and one that began before does not answer it', async () => {
  await expect(askVerification(control, { actor: 'ada' })).rejects.toMatchObject({ code: 'migration_step_invalid' });
  await journal.endVerification(await journal.beginVerification(), EQUAL);
  const before = await journal.beginVerification();
  const asked = await askVerification(control, { actor: 'ada', reason: 'a failover' });
  expect(isVerificationWanted(asked)).toBe(true);
  await journal.endVerification(before, EQUAL);
  expect(isVerificationWanted(await readMigration(control))).toBe(true);
  // A millisecond later, by control's clock.
  await expect
    .poll(async () => (await control.query<{ now: bigint }>('SELECT wherry_now() AS now')).rows[0]?.now)
    .toBeGreaterThan(BigInt(asked.verifyAskedAt ?? 0));
  await journal.endVerification(await journal.beginVerification(), EQUAL);
  expect(isVerificationWanted(await readMigration(control))).toBe(false);
  const { rows } = await control.query('SELECT actor, action, reason FROM audit');
  expect(rows).toEqual([{ actor: 'ada', action: 'migration.verify', reason: 'a failover' }]);
});
