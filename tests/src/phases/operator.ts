import { isWherryError } from '@wherry/core';
import { moveRollout, readObservedUse, readRollout, settleRollout, type Rollout, type RolloutCommand } from '@wherry/rollout';
import type { TokenFamilies } from '@wherry/renewal';
import { Violation } from '../model/violation.ts';
import { SESSION_MS, type PhaseBench, type PhaseNode } from './phase-bench.ts';
import type { OperatorAct } from './plan.ts';

const ACTOR = { actor: 'model' };
/** Steps after which something is refused, or not given out, that was accepted or given out before: by the words of the protocol, not by the code. */
const NARROWING: readonly string[] = ['preferred>drain', 'drain>drain', 'drain>retired', 'dual>stateful', 'stateful>stateful'];

/** Why a move may be refused at any time. */
const REFUSALS: readonly string[] = ['rollout_move_invalid', 'rollout_families_alive', 'retire_unproved'];

/** Moves the rollout, and holds each move against what the protocol says of it. */
export class Operator {
  readonly #bench: PhaseBench;
  readonly #families: Pick<TokenFamilies, 'aliveAny'>;
  /** True when every session that was there when drain settled has run out, and none was used since. */
  lifePassed = false;
  /** The phase that everybody acts on who is not kept from the news. */
  phase: Rollout['phase'] = 'stateful';
  /** Whether the last step went back, as everybody knows who is not kept from the news. */
  retreating = false;

  constructor(bench: PhaseBench, families: Pick<TokenFamilies, 'aliveAny'>) {
    this.#bench = bench;
    this.#families = families;
  }

  /** Does it, or is refused and answers by which code. `behind`: those who are kept from the news. */
  async act(act: OperatorAct, behind: ReadonlySet<PhaseNode>): Promise<string | undefined> {
    const before = await readRollout(this.#bench.cluster.control);
    let after: Rollout;
    try {
      after = await this.#move(act, before);
    } catch (error) {
      return this.#judgeRefusal(error, act, before, behind);
    }
    if (after.phase === 'retired' && !this.lifePassed) throw new Violation('retired was entered without a proof');
    if (NARROWING.includes(`${before.phase}>${after.phase}`)) {
      for (const { name, control, runtime } of this.#bench.nodes) {
        // The others may have loaded it at the last moment.
        if (control.held.has('rollout') && runtime.instance.leaseValid && control.rolloutVersion < before.version)
          throw new Violation(`${before.phase}>${after.phase} was made while ${name} acted on an older version under its lease`);
      }
    }
    this.phase = after.phase;
    this.retreating = after.retreating;
    if (after.phase !== 'drain') this.lifePassed = false;
    await this.#bench.settled(behind);
    return undefined;
  }

  async #move(act: OperatorAct, { version }: Rollout): Promise<Rollout> {
    const { control } = this.#bench.cluster;
    const move = { ...ACTOR, expectedVersion: version };
    switch (act.act) {
      case 'settle':
        return settleRollout(control, move, () => this.#families.aliveAny());
      case 'retire':
        return moveRollout(control, { command: 'advance' }, move, { evidence: readObservedUse, absoluteMs: SESSION_MS });
      case 'life-passes':
        throw new Error('a life passes for visitors too');
      case 'set-percent':
        return moveRollout(control, { command: 'set-percent', percent: act.percent }, move);
      case 'advance':
      case 'rollback': {
        const command: RolloutCommand = { command: act.act };
        return moveRollout(control, command, move);
      }
    }
  }

  #judgeRefusal(error: unknown, { act }: OperatorAct, { phase }: Rollout, behind: ReadonlySet<PhaseNode>): string {
    if (!isWherryError(error)) throw error;
    if (REFUSALS.includes(error.code) || (error.code === 'rollout_unacknowledged' && behind.size > 0)) return error.code;
    if (error.code !== 'rollout_unacknowledged') throw error;
    throw new Violation(`${act} in ${phase} waits for somebody, and everybody acts on the newest version`);
  }

  /** The rollout in another phase, from which a run begins. */
  async begin(steps: number, quietMs: number): Promise<void> {
    const { control, shards } = this.#bench.cluster;
    await control.query('TRUNCATE client_usage');
    await control.query('DELETE FROM instance WHERE lease_until < wherry_now()');
    for (const { database } of shards.all) await database.query('TRUNCATE token_family');
    await control.query(
      `WITH s AS (INSERT INTO feed_topic AS t (topic, seq) VALUES ('rollout', 1) ON CONFLICT (topic) DO UPDATE SET seq = t.seq + 1 RETURNING seq)
       UPDATE rollout SET version = version + 1, course = version + 1, phase = 'stateful', percent = NULL, settled = true, retreating = false,
         paused = NULL, hold_out = 0, quiet_ms = $1, seq = (SELECT seq FROM s), changed_at = wherry_now()`,
      [quietMs],
    );
    this.lifePassed = false;
    this.phase = 'stateful';
    this.retreating = false;
    await this.#bench.settled();
    for (let step = 0; step < steps; step++) {
      await this.act({ act: 'advance' }, new Set());
      if (step === 1) await this.act({ act: 'set-percent', percent: 100 }, new Set());
      if (step === 3) await this.act({ act: 'settle' }, new Set());
    }
  }

  /** Every session of now has run out, and in that time none was used. Answers whether the rollout is where that counts. */
  async lifePasses(): Promise<void> {
    const { control, shards } = this.#bench.cluster;
    const { phase, settled } = await readRollout(control);
    for (const { database } of shards.all)
      await database.query('UPDATE user_session SET create_time = create_time - $1, expire_time = 1 WHERE deleted_at IS NULL', [
        SESSION_MS,
      ]);
    await control.query('UPDATE client_usage SET first_used = first_used - $1, last_used = last_used - $1', [SESSION_MS]);
    await control.query('UPDATE usage_reporter SET since = since - $1', [SESSION_MS]);
    await control.query('UPDATE rollout SET changed_at = changed_at - $1', [SESSION_MS]);
    this.lifePassed = phase === 'drain' && settled;
  }
}
