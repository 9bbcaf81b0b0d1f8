import { randomBytes } from 'node:crypto';
import { pause } from '@wherry/core';
import { compareSides, verifyUntilEqual, workOff, type SideView } from '@wherry/migration/testing';
import { carriedSessionKey, convertSession, type CarriedSessions } from '@wherry/sessions';
import { LogIns, logInAnew, nextValue, readAndJudge, runReads, runRequests, sessionText } from './applications.ts';
import { Ledger } from './ledger.ts';
import { changeSides, runPhases, type MigrationActor } from './migration-actor.ts';
import type { ModelBench } from './model-bench.ts';
import type { ModelSource } from './model-source.ts';
import { LIVES_MS, LOG_INS, SHORT_MS, type Plan } from './plan.ts';
import { Turns, type Scheduler } from './turns.ts';
import { Violation } from './violation.ts';

const ROTATIONS = 6;
/** How coarsely legacy stores look at the clock. */
const LEGACY_COUNTS_MS = 1000;

/**
 * Runs a plan's actors against real stores under the scheduler's order, and throws {@link Violation} where an invariant
 * of the migration does not hold, during the run or after it.
 */
export async function runPlan(
  bench: ModelBench,
  store: ModelSource,
  scheduler: Scheduler,
  plan: Plan,
  stage: (name: string) => void,
): Promise<void> {
  stage('preparing');
  await bench.clear();
  const turns = new Turns(scheduler);
  const ids = Array.from({ length: LOG_INS + ROTATIONS }, () => randomBytes(18).toString('base64url'));
  const logIns = new LogIns(ids.slice(0, LOG_INS), ids.slice(LOG_INS));
  bench.pulse.source = store.source;
  const scene = { turns, ledger: new Ledger(bench.pulse), logIns, lives: plan.lives };
  const slots = [...new Set(ids.map((id) => carriedSessionKey(id).slot))];
  const context = await bench.migrate(store.source, (point) => turns.at(`migrator ${point}`));
  const actor: MigrationActor = { context, runtime: bench.migrator.runtime, slots };
  await logInAll(scene.ledger, store, ids.slice(0, LOG_INS));
  if (plan.prepared) await runPhases(actor, ['copy', 'verify']);
  if (plan.side === 'target') await changeSides(actor, 'target');
  const [first, second] = bench.applications.map((process, n) =>
    process.carried(store.source, (step) => turns.at(`application ${n} ${step}`)),
  ) as [CarriedSessions, CarriedSessions];
  const reader = bench.gateway.carried(store.source, (step) => turns.at(`gateway ${step}`));
  // Those of the beginning live long, because the legacy store counts in seconds.
  if (plan.lives.includes(SHORT_MS)) for (const logIn of [0, 1]) await logInAnew(scene, first, logIn, SHORT_MS);
  for (const [n, process] of bench.applications.entries()) for (const fault of plan.faults[n] ?? []) process.faults.add(fault);

  stage('running');
  await turns.run([
    () => runRequests(scene, first, plan.requests[0]),
    () => runRequests(scene, second, plan.requests[1]),
    () => runReads(scene, reader, plan.reads),
    () => runPhases(actor, plan.phases),
    async () => {
      for (const n of plan.lapses) {
        await turns.at(`application ${n} lapses`);
        await bench.applications[n].lapse();
      }
    },
  ]);

  if (plan.lives.includes(SHORT_MS)) {
    stage('waiting');
    await pause(scene.ledger.overAt(SHORT_MS) - bench.pulse.now());
  }
  stage('settling');
  const observer = bench.gateway.carried(store.source);
  await settle(bench, actor);
  await checkPrimarySide(scene.ledger, observer);
  stage('comparing');
  if (needsComparison(plan)) await verifyUntilEqual(context);
  await checkEqual(actor, store, scene.ledger);
  for (const side of ['source', 'target'] as const) {
    stage(`all to the ${side}`);
    await changeSides(actor, side);
    await checkPrimarySide(scene.ledger, observer);
  }
  await checkEqual(actor, store, scene.ledger);
  await checkLegacy(scene.ledger, store);
  if ((await bench.ownersInConflict()).length > 0) throw new Violation('I5: a slot had two primary sides under one epoch');
  await changeSides(actor, 'source');
}

/** Where the sides were never compared, or what was in flight in a process that lapsed, or a touch whose outcome nobody knows, may be missing. */
function needsComparison({ prepared, phases, lapses, faults }: Plan): boolean {
  const compared = prepared || phases.some((phase) => phase === 'verify' || phase === 'forward');
  return !compared || lapses.length > 0 || faults.flat().some(({ point }) => point === 'source.touch');
}

/** Half of the sessions come from a time before any instrumented writer: without a version. */
async function logInAll(ledger: Ledger, store: ModelSource, ids: readonly string[]): Promise<void> {
  for (const [n, id] of ids.entries()) {
    ledger.add(id, { userId: `u${n}`, username: `user ${n}`, authorities: ['member', `role${n}`] });
    const [ttlMs] = LIVES_MS;
    const value = nextValue();
    const call = ledger.save(id, value, ttlMs);
    const text = sessionText(ledger.identity(id), value, ttlMs);
    if (n % 2 === 0) await store.source.save(id, text, ttlMs, 1);
    else await store.legacySet(id, withExpiry(text, ttlMs));
    call.done = ledger.now();
  }
}

/** express-session hands its stores a cookie that knows its time. */
function withExpiry(text: string, ttlMs: number): object {
  const session = JSON.parse(text) as { readonly cookie: object };
  return { ...session, cookie: { ...session.cookie, maxAge: ttlMs, expires: new Date(Date.now() + ttlMs).toISOString() } };
}

/** Until nothing that was put off is left; an end whose session only one store knows needs a comparison. */
async function settle(bench: ModelBench, { context }: MigrationActor): Promise<void> {
  await bench.drain();
  for (let attempt = 0; (await workOff(context)).left > 0; attempt++) if (attempt === 2) await verifyUntilEqual(context);
}

/** I1 to I4 as a reader sees them. */
async function checkPrimarySide(ledger: Ledger, reader: CarriedSessions): Promise<void> {
  for (const id of ledger.ids) await readAndJudge(ledger, reader, id, true);
}

/** I6: both stores say the same of every session. */
async function checkEqual({ context }: MigrationActor, store: ModelSource, ledger: Ledger): Promise<void> {
  for (const id of ledger.ids) {
    const [session] = await store.source.get([id]);
    const target = await context.target.get(carriedSessionKey(id));
    let source: SideView = { state: 'absent' };
    if (session?.ended === true) source = { state: 'ended' };
    else if (session !== undefined) {
      const converted = convertSession(session, context);
      if (!converted.ok) throw new Violation('I6: the source holds what cannot be decoded');
      source = { state: 'live', record: converted.record };
    }
    const difference = compareSides(source, target, context.now());
    if (
      difference === undefined ||
      difference.class === 'expired_in_flight' ||
      (difference.detail === 'expiry' && !ledger.lifeIsCertain(id))
    )
      continue;
    const versions = JSON.stringify({ source: session?.version, target: target.state === 'live' ? target.record.version : target.state });
    throw new Violation(`I6: the sides differ: ${difference.class}, ${difference.detail}: ${versions}, user ${ledger.identity(id).userId}`);
  }
}

/** I2 and I7 as an application sees them that knows nothing of a migration. */
async function checkLegacy(ledger: Ledger, store: ModelSource): Promise<void> {
  for (const id of ledger.ids) {
    const asked = ledger.now();
    const there = await store.legacyGet(id);
    const moment = ledger.now();
    if (there !== undefined && ledger.endedBefore(id, moment)) throw new Violation('I2: the legacy store knows an ended session');
    if (there !== undefined && ledger.isOver(id, { ...asked, ms: asked.ms - LEGACY_COUNTS_MS }))
      throw new Violation('I3: the legacy store knows a session whose time is over');
    if (there === undefined && !ledger.endAskedBefore(id, moment) && ledger.existsBefore(id, moment) && !ledger.mayHaveRunOut(id, moment))
      throw new Violation('I7: the legacy store does not know a live session');
  }
}
