import { WherryError } from '@wherry/core';
import type { FeedTopic, Queryable } from '@wherry/core/control';
import { policyFor, type RolloutPolicy } from './policy.ts';
import { ROLLOUT_TOPIC, readRollout, type Rollout } from './rollout.ts';

/** Options of {@link RolloutState}. */
export interface RolloutStateOptions {
  readonly database: Queryable;
  /** Told of each state that differs from the one before, the first included. */
  readonly onChange?: (rollout: Rollout) => void;
}

/**
 * The rollout as this instance follows it. Each question is answered from one state in memory; a request that asks once
 * and keeps the answer is not split over two phases. When the control database is away, the last state goes on to
 * hold: every phase accepts what any other gives out.
 */
export class RolloutState implements FeedTopic {
  readonly topic: string = ROLLOUT_TOPIC;
  readonly #database: Queryable;
  readonly #onChange: (rollout: Rollout) => void;
  #rollout: Rollout | undefined;

  constructor(options: RolloutStateOptions) {
    this.#database = options.database;
    this.#onChange = options.onChange ?? (() => undefined);
  }

  /** The state that this instance acts on. Errors: `control_unavailable` before the first one was loaded. */
  get rollout(): Rollout {
    if (this.#rollout === undefined) throw new WherryError('control_unavailable', 'the rollout has not been loaded yet');
    return this.#rollout;
  }

  /** What the phase means for this user. Errors: `control_unavailable` before the first state was loaded. */
  policyFor(userId: string): RolloutPolicy {
    return policyFor(this.rollout, userId);
  }

  async load(): Promise<bigint> {
    const rollout = await readRollout(this.#database);
    const changed = rollout.version !== this.#rollout?.version;
    this.#rollout = rollout;
    if (changed) this.#onChange(rollout);
    return rollout.seq;
  }
}
