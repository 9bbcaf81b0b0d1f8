import { WherryError } from '@wherry/core';
import { controlError, type FeedTopic, type Queryable } from '@wherry/core/control';
import { NO_LISTS, bucketOf, type CohortEntry, type CohortLists } from './cohort.ts';
import { armIn, policiesOf, withoutLease, type RolloutPolicies, type RolloutPolicy } from './policy.ts';
import { ROLLOUT_COLUMNS, ROLLOUT_TOPIC, rolloutOf, type Rollout, type RolloutRow } from './rollout.ts';

/** Options of {@link RolloutState}. */
export interface RolloutStateOptions {
  readonly database: Queryable;
  /** Told of each state that differs from the one before, the first included. */
  readonly onChange?: (rollout: Rollout) => void;
  /** Whether this instance holds its lease; default always. Without one it accepts what any phase accepts and gives out no session tokens. */
  readonly leaseValid?: () => boolean;
}

/** Users whose buckets are remembered; twice as many in the worst case. */
const REMEMBERED = 50_000;

/** One state and all that follows from it. */
interface Followed {
  readonly rollout: Rollout;
  readonly lists: CohortLists;
  readonly policies: RolloutPolicies;
  readonly leaseless: RolloutPolicies;
}

/** Row and lists in one statement: neither is newer than the number that is acknowledged for both. */
const LOAD = `SELECT ${ROLLOUT_COLUMNS},
  (SELECT json_agg(json_build_array(kind, value, arm)) FROM rollout_list) AS lists FROM rollout WHERE id = 1`;

type LoadedRow = RolloutRow & { readonly lists: readonly (readonly ['user' | 'client', string, CohortEntry])[] | null };

/**
 * The rollout as this instance follows it. Each question is answered from one state in memory; a request that asks once
 * and keeps the answer is not split over two phases. When the control database is away, the last state goes on to
 * hold: see `leaseValid` for what changes then.
 */
export class RolloutState implements FeedTopic {
  readonly topic: string = ROLLOUT_TOPIC;
  readonly #database: Queryable;
  readonly #onChange: (rollout: Rollout) => void;
  readonly #leaseValid: () => boolean;
  #followed: Followed | undefined;
  #buckets = new Map<string, number>();
  #olderBuckets = new Map<string, number>();
  readonly #issuing = new Set<Promise<unknown>>();

  constructor(options: RolloutStateOptions) {
    this.#database = options.database;
    this.#onChange = options.onChange ?? (() => undefined);
    this.#leaseValid = options.leaseValid ?? (() => true);
  }

  /** The state that this instance acts on. Errors: `control_unavailable` before the first one was loaded. */
  get rollout(): Rollout {
    return this.#loaded.rollout;
  }

  /** The course that this instance acts on, for its meter; -1 before the first state was loaded. */
  get course(): number {
    return this.#followed?.rollout.course ?? -1;
  }

  /** What the phase means for this user of this client. Errors: `control_unavailable` before the first state was loaded. */
  policyFor(userId: string, clientId?: string): RolloutPolicy {
    const { rollout, lists, policies, leaseless } = this.#loaded;
    const arm = armIn(rollout, lists, userId, clientId, this.#bucket);
    return this.#leaseValid() ? policies[arm] : leaseless[arm];
  }

  /**
   * Runs `work`, which asks for a policy and gives out what it allows. A state that is loaded meanwhile is acknowledged only
   * after `work` has ended: an acknowledgement says that nothing is given out by an older state any more. Bound its time.
   */
  async issuing<T>(work: () => Promise<T>): Promise<T> {
    const act = work();
    this.#issuing.add(act);
    try {
      return await act;
    } finally {
      this.#issuing.delete(act);
    }
  }

  async acting(): Promise<void> {
    await Promise.allSettled(this.#issuing);
  }

  async load(): Promise<bigint> {
    const { rows } = await this.#query();
    const rollout = rolloutOf(rows[0]);
    const before = this.#followed?.rollout;
    if (before?.salt !== rollout.salt) this.#forget();
    const policies = policiesOf(rollout);
    this.#followed = { rollout, lists: listsOf(rows[0]?.lists ?? []), policies, leaseless: withoutLease(policies) };
    if (rollout.seq !== before?.seq) this.#onChange(rollout);
    return rollout.seq;
  }

  async #query(): Promise<{ readonly rows: readonly LoadedRow[] }> {
    try {
      return await this.#database.query<LoadedRow>(LOAD);
    } catch (error) {
      throw controlError(error);
    }
  }

  get #loaded(): Followed {
    if (this.#followed === undefined) throw new WherryError('control_unavailable', 'the rollout has not been loaded yet');
    return this.#followed;
  }

  /** The bucket of a user, remembered in two generations: it never changes, and costs a hash to find. */
  readonly #bucket = (salt: string, userId: string): number => {
    const known = this.#buckets.get(userId);
    if (known !== undefined) return known;
    const bucket = this.#olderBuckets.get(userId) ?? bucketOf(salt, userId);
    if (this.#buckets.size >= REMEMBERED) {
      this.#olderBuckets = this.#buckets;
      this.#buckets = new Map();
    }
    this.#buckets.set(userId, bucket);
    return bucket;
  };

  #forget(): void {
    this.#buckets = new Map();
    this.#olderBuckets = new Map();
  }
}

function listsOf(entries: NonNullable<LoadedRow['lists']>): CohortLists {
  if (entries.length === 0) return NO_LISTS;
  const of = (wanted: 'user' | 'client'): Map<string, CohortEntry> =>
    new Map(entries.flatMap(([kind, value, arm]) => (kind === wanted ? [[value, arm]] : [])));
  return { users: of('user'), clients: of('client') };
}
