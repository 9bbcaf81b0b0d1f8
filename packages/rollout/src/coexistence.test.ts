import { describe, expect, it } from 'vitest';
import type { RolloutArm } from './cohort.ts';
import { enforcedMinimum } from './minimum-credential.ts';
import { ROLLOUT_PHASES } from './phase.ts';
import { narrows, policiesOf, withoutLease, type RolloutCourse, type RolloutPolicy } from './policy.ts';

/**
 * Every state that two instances, an operator and a client can come to, walked through one by one: what the row says,
 * which state each instance acts on and whether it holds its lease, and what the client holds and has shown. Answers may be
 * lost, clients forget, leases end, instances load late. In none of them is a live session stuck.
 */

const NOW = 1_000_000;
const QUIET = 1000;

/** All courses; `led` at a share is the same for a user whose arm is given. */
const COURSES: readonly RolloutCourse[] = ROLLOUT_PHASES.flatMap((phase): RolloutCourse[] => {
  const plain = phase === 'led' ? { phase, percent: 50 } : { phase };
  const halves = phase === 'stateful' || phase === 'drain' ? [false, true] : [true];
  return halves.flatMap((settled) => [false, true].map((retreating) => ({ ...plain, settled, retreating, quietMs: QUIET })));
});
function indexOf(phase: RolloutCourse['phase'], settled: boolean, retreating: boolean): number {
  return COURSES.findIndex((course) => course.phase === phase && course.settled === settled && course.retreating === retreating);
}
function at<T>(list: readonly T[], index: number): T {
  const found = list[index];
  if (found === undefined) throw new Error(`nothing is at ${index}`);
  return found;
}
const course = (index: number): RolloutCourse => at(COURSES, index);

interface State {
  /** Index of the row's course, and of those that the two instances act on. */
  readonly row: number;
  readonly acts: readonly [number, number];
  readonly leases: readonly [boolean, boolean];
  /** A session lives. What follows is its client's. */
  readonly session: boolean;
  readonly sessionToken: boolean;
  readonly jwt: boolean;
  readonly renewal: boolean;
  /** A family lives on the server; the client may have lost its credential. */
  readonly family: boolean;
  /** When a session token was last given out. 0: never · 1: before drain had settled · 2: after that, so it ends later. */
  readonly given: 0 | 1 | 2;
  /** A client of before, which knows session tokens alone and reads no advice. */
  readonly old: boolean;
  /** 0: no proof · 1: proved, or session token used, a moment ago · 2: long ago. */
  readonly shown: 0 | 1 | 2;
}

const SIGNED_OUT = {
  session: false,
  sessionToken: false,
  jwt: false,
  renewal: false,
  family: false,
  given: 0,
  old: false,
  shown: 0,
} as const;
const keyOf = (state: State): string => Object.values(state).flat().map(Number).join();

class Model {
  readonly #policies: readonly (readonly [RolloutPolicy, RolloutPolicy])[];

  constructor(arm: RolloutArm) {
    this.#policies = COURSES.map((of) => [policiesOf(of)[arm], withoutLease(policiesOf(of))[arm]]);
  }

  policy(state: State, instance: 0 | 1): RolloutPolicy {
    const [held, lost] = at(this.#policies, state.acts[instance]);
    return state.leases[instance] ? held : lost;
  }

  /** True when the gateway of `instance` lets the session token in. */
  admits(state: State, instance: 0 | 1): boolean {
    const policy = this.policy(state, instance);
    const evidence = state.shown === 0 ? undefined : { provedAt: state.shown === 1 ? NOW : NOW - QUIET, sessionTokenUsedAt: null };
    return policy.acceptSessions && enforcedMinimum(policy, evidence, NOW) !== 'only';
  }

  /** True when the token endpoint of `instance` gives an access token for the session token. */
  exchanges(state: State, instance: 0 | 1): boolean {
    const { acceptSessions, issueJwts } = this.policy(state, instance);
    return acceptSessions && issueJwts;
  }

  *next(state: State): Generator<State> {
    yield* this.#operator(state);
    for (const instance of [0, 1] as const) {
      yield* this.#instance(state, instance);
      yield* this.#client(state, instance);
    }
    if (!state.session) return;
    if (state.jwt) yield { ...state, jwt: false };
    if (state.shown === 1) yield { ...state, shown: 2 };
    // A client forgets what it thinks it can do without.
    if (state.sessionToken && state.renewal) yield { ...state, sessionToken: false };
    if (state.sessionToken) yield { ...state, jwt: false, renewal: false };
    yield { ...state, ...SIGNED_OUT };
  }

  *#operator(state: State): Generator<State> {
    const { phase, settled, retreating } = course(state.row);
    const acknowledged = ([0, 1] as const).every((instance) => !state.leases[instance] || state.acts[instance] === state.row);
    const here = ROLLOUT_PHASES.indexOf(phase);
    for (const step of [1, -1]) {
      const to = ROLLOUT_PHASES[here + step];
      if (to === undefined || phase === 'retired') continue;
      const row = indexOf(to, to !== 'stateful' && to !== 'drain', step < 0);
      if (narrows(course(state.row), course(row)) && !acknowledged) continue;
      if (to !== 'retired') yield { ...state, row, given: state.given === 0 ? 0 : 1 };
      // One session life after the settling: a session that was given a session token before it is over.
      else if (settled) yield { ...state, row, ...(state.given === 1 ? SIGNED_OUT : {}) };
    }
    if (!settled && acknowledged && (phase === 'drain' || !state.family)) yield { ...state, row: indexOf(phase, true, false) };
    if (phase === 'led') yield { ...state, row: indexOf(phase, true, retreating) };
  }

  *#instance(state: State, instance: 0 | 1): Generator<State> {
    const put = <T>(pair: readonly [T, T], value: T): [T, T] => (instance === 0 ? [value, pair[1]] : [pair[0], value]);
    // A new registration counts when what is newest was loaded.
    yield { ...state, acts: put(state.acts, state.row), leases: put(state.leases, true) };
    if (state.leases[instance]) yield { ...state, leases: put(state.leases, false) };
  }

  *#client(state: State, instance: 0 | 1): Generator<State> {
    const { issueJwts, issueRenewals, issueSessions, renewalMintsSession } = this.policy(state, instance);
    const { phase, settled } = course(state.row);
    const now = phase === 'retired' || (phase === 'drain' && settled) ? 2 : 1;
    if (!state.session) {
      const given = { ...state, ...SIGNED_OUT, session: true, family: issueRenewals, given: issueSessions ? now : 0 } as const;
      // Clients of before keep the session token alone, others all that they are given.
      if (issueSessions) yield { ...given, sessionToken: true, old: true };
      // Without either the client would be left with an access token that ends: such a log-in is refused (503).
      if (issueSessions || issueRenewals) yield { ...given, sessionToken: issueSessions, jwt: issueJwts, renewal: issueRenewals };
      return;
    }
    if (state.jwt) yield { ...state, shown: 1 };
    if (state.renewal) yield { ...state, shown: 1, jwt: true, ...(renewalMintsSession ? { sessionToken: true, given: now } : {}) };
    if (!state.sessionToken) return;
    if (this.exchanges(state, instance) && !state.old) {
      yield { ...state, jwt: true };
      if (issueRenewals) yield { ...state, jwt: true, renewal: true, family: true };
      // The answer was lost.
      if (issueRenewals) yield { ...state, family: true };
    }
    if (this.admits(state, instance) && state.shown === 2) yield { ...state, shown: 1 };
  }
}

/** What is wrong with a state, or undefined. */
function fault(model: Model, state: State): string | undefined {
  const here = course(state.row);
  if (here.phase === 'retired' && state.session && state.given > 0) return 'a session token outlives its phase';
  if (here.phase === 'stateful' && here.settled && state.family) return 'a family lives in stateful';
  if (state.session && !state.jwt && !state.renewal && !state.sessionToken) return 'a client was left with nothing';
  if (!state.session || state.jwt || state.renewal || !state.sessionToken) return undefined;
  const refusing = ([0, 1] as const).filter((instance) => !model.admits(state, instance));
  if (state.old) return refusing.length > 0 ? 'a client that knows session tokens alone is refused' : undefined;
  const holders = ([0, 1] as const).filter((instance) => state.leases[instance]);
  // With nobody in reach of control there is nobody to ask; then nobody may refuse.
  if (refusing.length === 0 || (holders.length > 0 && holders.every((instance) => model.exchanges(state, instance)))) return undefined;
  return 'a live session is refused and cannot be exchanged';
}

describe('two instances in any two states that may be in force together', () => {
  it.each<RolloutArm>(['cohort', 'control'])('leave no live session of the %s stuck', (arm) => {
    const model = new Model(arm);
    const begin = indexOf('stateful', true, false);
    const first: State = { row: begin, acts: [begin, begin], leases: [true, true], ...SIGNED_OUT };
    const known = new Set([keyOf(first)]);
    const open = [first];
    const phases = new Set<string>();
    let refusals = 0;
    for (let state = open.pop(); state !== undefined; state = open.pop()) {
      const wrong = fault(model, state);
      if (wrong !== undefined)
        expect.fail(`${wrong}: ${JSON.stringify({ ...state, row: course(state.row), acts: state.acts.map(course) })}`);
      phases.add(course(state.row).phase);
      if (state.sessionToken && !model.admits(state, 0)) refusals++;
      for (const next of model.next(state)) {
        const key = keyOf(next);
        if (known.has(key)) continue;
        known.add(key);
        open.push(next);
      }
    }
    expect([...phases].toSorted()).toEqual([...ROLLOUT_PHASES].toSorted());
    // The walk has been where tokens are refused.
    expect(refusals).toBeGreaterThan(100);
    expect(known.size).toBeGreaterThan(10_000);
  });
});
