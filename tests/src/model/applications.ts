import { isWherryError, pause } from '@wherry/core';
import type { CarriedSessions } from '@wherry/sessions';
import type { Call, Identity, Ledger, Moment } from './ledger.ts';
import { IDLE_MS, SHORT_MS, type Lives, type Request } from './plan.ts';
import type { Turns } from './turns.ts';
import { Violation } from './violation.ts';

/** What a caller may hear of; the call may have happened or not. */
const OUTAGES = new Set(['source_unavailable', 'shard_unavailable', 'control_unavailable', 'slot_not_owned']);

/** The ids that log-ins have had; the last one is current. */
export class LogIns {
  readonly #current: string[];
  readonly #fresh: string[];

  constructor(current: readonly string[], fresh: readonly string[]) {
    this.#current = [...current];
    this.#fresh = [...fresh];
  }

  id(logIn: number): string {
    return this.#current[logIn] ?? '';
  }

  /** The next id, undefined when there is none left. */
  rotate(logIn: number): string | undefined {
    const next = this.#fresh.pop();
    if (next !== undefined) this.#current[logIn] = next;
    return next;
  }
}

/** What requests and reads share. */
export interface Scene {
  readonly ledger: Ledger;
  readonly logIns: LogIns;
  readonly turns: Turns;
  readonly lives: Lives;
}

/** A session's text as an application writes it. */
export function sessionText({ userId, username, authorities }: Identity, value: number, ttlMs: number): string {
  return JSON.stringify({
    cookie: { originalMaxAge: ttlMs, httpOnly: true, path: '/' },
    user: { id: userId, name: username, roles: authorities },
    value,
  });
}

/** Values of saves, all different. */
let lastValue = 0;

/** A value that no other save has. */
export function nextValue(): number {
  return ++lastValue;
}

/** One application process: its requests one after another. */
export async function runRequests(scene: Scene, sessions: CarriedSessions, requests: readonly Request[]): Promise<void> {
  for (const { kind, logIn, life } of requests) {
    await scene.turns.at(`request ${kind}`);
    const id = scene.logIns.id(logIn);
    const ttlMs = lifeOf(scene, id, life);
    switch (kind) {
      case 'save':
        await save(scene, sessions, id, ttlMs);
        break;
      case 'touch':
        await touch(scene, sessions, id, ttlMs);
        break;
      case 'end':
        await end(scene, sessions, id, 'logout');
        break;
      case 'rotate':
        await rotate(scene, sessions, logIn, ttlMs);
        break;
      case 'idle':
        await pause(IDLE_MS);
        break;
    }
  }
}

/** The gateway: looks sessions up and judges every answer. */
export async function runReads(scene: Scene, sessions: CarriedSessions, reads: readonly number[]): Promise<void> {
  for (const logIn of reads) {
    await scene.turns.at('request read');
    await readAndJudge(scene.ledger, sessions, scene.logIns.id(logIn), false);
  }
}

/** Reads one session and throws {@link Violation} for an answer that must not be. */
export async function readAndJudge(ledger: Ledger, sessions: CarriedSessions, id: string, settled: boolean): Promise<void> {
  const started = ledger.now();
  const read = await known(() => sessions.read(id));
  if (read === undefined) return;
  const fault = ledger.faultOf(id, read, started, ledger.now(), settled);
  if (fault !== undefined) throw new Violation(`${read.state === 'live' ? `at the ${read.side}: ` : ''}${fault}`);
}

/** A life that is nearly nothing is not given to a session that was given a longer one: cut short, it ends at different times on the two sides. */
function lifeOf({ ledger, lives }: Scene, id: string, life: number): number {
  const asked = lives[life] ?? lives[0];
  return asked === SHORT_MS ? Math.max(asked, ledger.longestLife(id)) : asked;
}

async function save({ ledger }: Scene, sessions: CarriedSessions, id: string, ttlMs: number): Promise<void> {
  const value = nextValue();
  const call = ledger.save(id, value, ttlMs);
  const outcome = await known(() => sessions.save(id, sessionText(ledger.identity(id), value, ttlMs), ttlMs));
  if (outcome === undefined) return;
  if (outcome === 'saved') acknowledge(ledger, id, call);
  else refuse(ledger, id, call, ledger.now());
}

async function touch({ ledger }: Scene, sessions: CarriedSessions, id: string, ttlMs: number): Promise<void> {
  // At the very moment of the expiry each side may decide for itself.
  if (!ledger.timeIsCertain(id)) return;
  const existed = ledger.existsBefore(id, ledger.now());
  const call = ledger.touch(id, ttlMs);
  const outcome = await known(() => sessions.touch(id, ttlMs));
  if (outcome === undefined) return;
  if (outcome === 'touched') call.done = ledger.now();
  else if (existed) refuse(ledger, id, call, ledger.now());
  else call.void = true;
}

async function end({ ledger }: Scene, sessions: CarriedSessions, id: string, reason: 'logout' | 'rotation'): Promise<boolean> {
  const call = ledger.end(id);
  const outcome = await known(() => sessions.end(id, reason));
  if (outcome !== undefined) call.done = ledger.now();
  return outcome !== undefined;
}

async function rotate(scene: Scene, sessions: CarriedSessions, logIn: number, ttlMs: number): Promise<void> {
  const id = scene.logIns.id(logIn);
  if (await end(scene, sessions, id, 'rotation')) await logInAnew(scene, sessions, logIn, ttlMs);
}

/** Gives a log-in a new session under the next id. */
export async function logInAnew(scene: Scene, sessions: CarriedSessions, logIn: number, ttlMs: number): Promise<void> {
  const id = scene.logIns.id(logIn);
  const next = scene.logIns.rotate(logIn);
  if (next === undefined) return;
  scene.ledger.add(next, scene.ledger.identity(id));
  await save(scene, sessions, next, ttlMs);
}

function acknowledge(ledger: Ledger, id: string, call: Call): void {
  if (ledger.endedBefore(id, call.started)) throw new Violation('I2: a save after the end was accepted');
  call.done = ledger.now();
}

function refuse(ledger: Ledger, id: string, call: Call, done: Moment): void {
  call.void = true;
  if (!ledger.endAskedBefore(id, done) && !ledger.mayHaveRunOut(id, done))
    throw new Violation('I1: a call was refused on a session that nobody had ended');
}

/** The outcome, undefined where the caller cannot know it. */
async function known<T>(work: () => Promise<T>): Promise<T | undefined> {
  try {
    return await work();
  } catch (error) {
    if (isWherryError(error) && OUTAGES.has(error.code)) return undefined;
    throw error;
  }
}
