import { isWherryError, noMetrics, pause, silentLogger, type Component, type Counter, type Logger, type Metrics } from '@wherry/core';
import type { Database } from '@wherry/core/control';
import { rollback } from './commands.ts';
import { readFigures } from './figures.ts';
import { GUARDRAIL_LIMITS, evaluateGuardrails, type GuardrailFinding, type GuardrailLimits } from './guardrails.ts';
import { guardrailText } from './guardrail-text.ts';
import { stopRollout } from './pause.ts';
import { readRollout, type Rollout } from './rollout.ts';
import { settleRollout, type FamiliesAlive } from './settle.ts';

/** Options of {@link RolloutGuard}. Times in milliseconds. */
export interface RolloutGuardOptions {
  readonly database: Database;
  /** How often it looks; default 5000. */
  readonly everyMs?: number;
  /** How far back it looks; default 30 minutes. */
  readonly windowMs?: number;
  /** Whether any family of renewals lives; without it this instance does not settle `stateful`. */
  readonly familiesAlive?: FamiliesAlive;
  readonly metrics?: Metrics;
  readonly log?: Logger;
}

/** What one look came to. */
export type GuardLook = 'nothing' | 'settled' | 'stopped' | 'rolled_back' | 'unconfirmed' | 'overtaken' | 'waiting';

const ACTOR = 'guard';
const EVERY_MS = 5000;
/** Share of the least sample that the time since a stop has to bring before it confirms or acquits. */
const FRESH_SHARE = 0.1;
const KEEP_MS = 24 * 3600 * 1000;
const SWEEP_EVERY = 100;

/**
 * Looks after the rollout by itself: settles a phase when it can be settled, holds the rollout as soon as a guardrail is
 * breached, and takes it one step back when a later look confirms the breach. It never widens anything.
 *
 * Any number of instances may run one; one of them looks at a time. Each act is a compare-and-set on the version that the look began with, so of many who see the
 * same one acts, and a look that was overtaken by an operator changes nothing. A stop does not begin a new course, so figures go on
 * to gather; a step back does, so the next step needs evidence of its own.
 */
export class RolloutGuard implements Component {
  readonly name = 'rollout-guard';
  readonly #options: RolloutGuardOptions;
  readonly #log: Logger;
  readonly #acts: Counter;
  readonly #stop = new AbortController();
  #loop: Promise<void> | undefined;
  #looks = 0;
  #failures = 0;

  constructor(options: RolloutGuardOptions) {
    this.#options = options;
    this.#log = options.log ?? silentLogger;
    this.#acts = (options.metrics ?? noMetrics).counter({
      name: 'wherry_rollout_guard_acts_total',
      help: 'What the guard of the rollout did: settled, stopped, rolled_back.',
      labels: ['act'],
    });
  }

  async run(): Promise<void> {
    this.#loop = this.#lookOn();
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#loop;
  }

  /** Looks once and does what is due. Errors: `control_unavailable`, and those of `familiesAlive`. */
  async look(): Promise<GuardLook> {
    const rollout = await readRollout(this.#options.database);
    try {
      const act = (await this.#settle(rollout)) ?? (await this.#judge(rollout));
      if (act === 'settled' || act === 'stopped' || act === 'rolled_back') this.#acts.inc({ act });
      return act;
    } catch (error) {
      if (isWherryError(error, 'conflict')) return 'overtaken';
      // A step back to stateful waits until every instance acts on the present state; the next look tries again.
      if (isWherryError(error, 'rollout_unacknowledged')) return 'waiting';
      throw error;
    }
  }

  async #lookOn(): Promise<void> {
    while (!this.#stop.signal.aborted) {
      await pause(this.#options.everyMs ?? EVERY_MS, this.#stop.signal);
      if (this.#stop.signal.aborted) return;
      try {
        if (await this.#claim()) await this.look();
        if (this.#looks++ % SWEEP_EVERY === 0)
          await this.#options.database.query('DELETE FROM rollout_sample WHERE at < wherry_now() - $1', [KEEP_MS]);
        this.#failures = 0;
      } catch (error) {
        if (this.#failures++ === 0) this.#log.warn('the rollout could not be looked after; trying again', { error });
      }
    }
  }

  /** True for one of all instances in each interval: a look reads what all of them have seen. Who dies after it leaves the next one to others. */
  async #claim(): Promise<boolean> {
    // A time too far ahead is of a clock that went back since.
    const { rowCount } = await this.#options.database.query(
      `UPDATE rollout_guard SET next_at = wherry_now() + $1 WHERE id = 1 AND NOT next_at BETWEEN wherry_now() + 1 AND wherry_now() + $1`,
      [this.#options.everyMs ?? EVERY_MS],
    );
    return rowCount === 1;
  }

  async #settle(rollout: Rollout): Promise<GuardLook | undefined> {
    if (rollout.settled) return undefined;
    try {
      const move = { expectedVersion: rollout.version, actor: ACTOR, reason: 'every live instance acts on it' };
      await settleRollout(this.#options.database, move, this.#options.familiesAlive);
      this.#log.info('the phase of the rollout has settled', { phase: rollout.phase });
      return 'settled';
    } catch (error) {
      // Not yet. Meanwhile the guardrails hold for the half that is in force.
      if (SETTLES_LATER.some((code) => isWherryError(error, code))) return undefined;
      throw error;
    }
  }

  async #judge(rollout: Rollout): Promise<GuardLook> {
    if (rollout.phase === 'stateful' || rollout.phase === 'retired') return 'nothing';
    const { database, windowMs = 1_800_000 } = this.#options;
    const limits = limitsOf(rollout);
    const { rows } = await database.query<{ now: bigint }>('SELECT wherry_now() AS now');
    const now = Number(rows[0]?.now);
    const findings = evaluateGuardrails(await readFigures(database, rollout.course, now - windowMs), rollout.phase, limits);
    const breached = findings.filter(({ verdict }) => verdict === 'breach');
    if (breached.length === 0) return 'nothing';
    const reason = breached.map(guardrailText).join('; ');
    const move = { expectedVersion: rollout.version, actor: ACTOR, reason };
    const { paused } = rollout;
    if (paused === null || paused.by !== 'guard' || paused.course !== rollout.course) {
      await stopRollout(
        database,
        move,
        breached.map(({ name }) => name),
        findings,
      );
      this.#log.warn('a guardrail of the rollout is breached: held', { phase: rollout.phase, reason });
      return 'stopped';
    }
    // Confirmed by what came after the stop, not by the same figures once more.
    const fresh = evaluateGuardrails(await readFigures(database, rollout.course, paused.at), rollout.phase, limits);
    if (!breached.some(({ name }) => fresh.some((finding) => finding.name === name && goesOn(finding)))) return 'unconfirmed';
    await rollback(database, move);
    this.#log.warn('the breach is confirmed: the rollout was taken a step back', { phase: rollout.phase, reason });
    return 'rolled_back';
  }
}

const SETTLES_LATER = ['rollout_unacknowledged', 'rollout_families_alive', 'rollout_paused'] as const;

/** The limits in force. */
export function limitsOf({ limits }: Pick<Rollout, 'limits'>): GuardrailLimits {
  return { ...GUARDRAIL_LIMITS, ...limits };
}

/** True when fresh figures, fewer than a verdict takes, are over the limit as well. */
function goesOn({ seen, limit, cohortSample, controlSample, leastSample }: GuardrailFinding): boolean {
  const enough = leastSample * FRESH_SHARE;
  return seen !== null && seen > limit && cohortSample >= enough && (controlSample === null || controlSample >= enough);
}
