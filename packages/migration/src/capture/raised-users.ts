import { convertSession, type FeedPosition, type SourceSession } from '@wherry/sessions';
import type { MigrationContext } from '../context.ts';
import { bury } from './bury.ts';
import { raisedSince, settledGenerations, type RaisedUser } from './raises.ts';
import { carriedSessionsOfUser, type NamedSession } from './sessions-of-user.ts';

/** Where a capture stands, as the settling of raised users needs it. */
export interface Course {
  /** The newest place at the source now. */
  head(): Promise<FeedPosition>;
  /** True when all that happened up to `head` was applied; false: it was not, within a bound. */
  reaches(head: FeedPosition): Promise<boolean>;
}

/** What is known where a capture begins, or goes on. */
export interface SettledStart {
  /** The capture knows of every session that lived at the source at its place. */
  readonly whole: boolean;
  /** The number of the newest change of generations that is settled at its place; 0: none. */
  readonly settled: bigint;
}

/** What settling needs. */
type RaisedContext = Pick<
  MigrationContext,
  | 'control'
  | 'decode'
  | 'refs'
  | 'shards'
  | 'source'
  | 'target'
  | 'slots'
  | 'now'
  | 'sourceOffsetMs'
  | 'sourceDoubted'
  | 'tombstoneMs'
  | 'defaultIdleMs'
>;

/** Looks at a user's sessions in turn; more than two only while he begins some and is found dead all the time. */
const ROUNDS = 8;

/**
 * Finds out from which place of the feed on a log-in of a user whose generation was raised counts.
 *
 * The fault that it mends. Writers past us put no generation into what they write, and absent counts as 0. Once all that a
 * user had was ended, his generation is above that, and each session that he begins later would be dead at once.
 *
 * The rule. A session that becomes his at a place of the feed at which the raise is *settled* gets the generation that
 * counts then, in its row at the target ({@link judgeLogIns}). A raise is settled at a place when it was durable before that
 * place and no session that it has ended lived at the source there. Nothing is decided by a clock.
 *
 * Why no session that the raise has ended comes back by it. Let H be a place at which the raise is settled, and let a
 * session be told of at a later place, when all up to H is applied. Where its row says that it was his, it is no log-in
 * and stays dead. Else it was not his at H: the row tells what it was when all before was applied, and where there is no row
 * it did not live, since the capture knows of all that did (`whole`). So it became his after H, out of something that
 * the application had then. It was not made out of a session that the raise had ended, by a new id for an old session, a
 * rename or a copy, because none of those lived at H. What is left is a request that had read such a session before it was
 * removed and gives it another id later, as one does that was under way at the raise: to whoever sees the store alone
 * that is a log-in. The same holds where applications are wrapped.
 *
 * How a raise is settled. Its number is read in control, then a place H of the source: what is written later was written
 * after the raise. When all up to H is applied, the rows at the target name all sessions that the user had at H. They are
 * removed from the source where they still live, and the same is done once more with a later H: the raise is settled
 * there when each of his sessions was known to be gone before that H, and none was found dead in between. Log-ins that
 * come while this goes on are not known to be any and have to be made again: some tens of milliseconds, as long as the
 * capture keeps up.
 *
 * What a crash leaves. What is settled is written down together with the place up to which all was applied, which is H or
 * later, so what is told again after a crash is judged by what was settled before it. A raise that was not written down
 * as settled is settled anew, later: nobody comes back, and who logged in meanwhile has to do so again. A generation that
 * was given lies in the row before its place is written down. After a failover of the source removals may be missing there:
 * nothing counts as settled until the source is not doubted any more, and all raises are settled anew.
 *
 * What a snapshot proves: which sessions there are, and nothing about when they began. Those of users whose generation was
 * raised are ended, unless their row has one that lives; these users have to log in once more. The same holds for all
 * that began while a feed could not be followed. A feed that can miss something without saying so proves nothing at all:
 * such sessions stay as they are there, dead to us.
 *
 * Sessions that nobody can decode are nobody's here, as they are for every reader; one that had been such is no log-in.
 */
export class RaisedUsers {
  readonly #context: RaisedContext;
  #whole: boolean;
  #settled: bigint;
  /** Another one: what was found out before it is worth nothing. */
  #turn = 0;
  #dead = 0;

  constructor(context: RaisedContext, { whole, settled }: SettledStart) {
    this.#context = context;
    this.#whole = whole;
    this.#settled = settled;
  }

  /** True when the capture knows of every session that lives at the source where it stands. */
  get whole(): boolean {
    return this.#whole;
  }

  /** True when it can be found out which sessions are log-ins; until then nobody's is ended for being none. */
  get judges(): boolean {
    return this.#whole && !this.#context.sourceDoubted();
  }

  get settled(): bigint {
    return this.#settled;
  }

  /** Sessions may live at the source of which nothing was told. */
  lostSight(): void {
    this.#whole = false;
    this.unsettle();
  }

  /** What had ended may live again at the source. */
  unsettle(): void {
    this.#settled = 0n;
    this.#turn++;
  }

  /** All sessions that lived at the source were looked at, and what was told since is applied. */
  becomeWhole(): void {
    this.#whole = true;
  }

  /** A session was found dead by its user's generation, and is gone from the source. */
  foundDead(): void {
    this.#dead++;
  }

  /** The generations that a log-in gets which is told of from here on; of those of `userIds` of whom that is settled. */
  async generations(userIds: readonly string[]): Promise<ReadonlyMap<string, number>> {
    if (!this.judges || this.#settled === 0n) return new Map();
    return settledGenerations(this.#context.control, userIds, this.#settled);
  }

  /** Settles what was raised since; where that does not come to an end, it has to be tried again. Throws what a store throws. */
  async settle(course: Course): Promise<void> {
    const turn = this.#turn;
    if (!this.judges) return;
    const { newest, users } = await raisedSince(this.#context.control, this.#settled);
    if (newest === this.#settled) return;
    if (users.length > 0 && !(await this.#clear(users, course))) return;
    if (turn === this.#turn && this.judges) this.#settled = newest;
  }

  /** True when there is a place at which no ended session of these users lived at the source, and all up to it is applied. */
  async #clear(users: readonly RaisedUser[], course: Course): Promise<boolean> {
    const gone = new Set<bigint>();
    for (let round = 0; round < ROUNDS; round++) {
      const dead = this.#dead;
      const head = await course.head();
      if (!(await course.reaches(head))) return false;
      const goneBefore = gone.size;
      for (const user of users) await this.#remove(user, gone);
      if (gone.size === goneBefore && this.#dead === dead) return true;
    }
    return false;
  }

  /** Removes from the source what still lives there of what the user had; adds all of it to `gone`. */
  async #remove(user: RaisedUser, gone: Set<bigint>): Promise<void> {
    for (const shard of this.#context.shards.all) {
      for await (const page of carriedSessionsOfUser(shard, user.userId, user.generation)) {
        const unknown = page.filter(({ key }) => !gone.has(key.id));
        await this.#removeAll(user, unknown);
        for (const { key } of unknown) gone.add(key.id);
      }
    }
  }

  async #removeAll(user: RaisedUser, sessions: readonly NamedSession[]): Promise<void> {
    if (sessions.length === 0) return;
    const rawIds = sessions.map(({ key, sourceRef }) => this.#context.refs.open(key, sourceRef));
    const found = await this.#context.source.get(rawIds);
    await Promise.all(
      sessions.map(async ({ key }, index) => {
        const [session, rawId] = [found[index], rawIds[index]];
        if (session === undefined || rawId === undefined || session.ended || !this.#isStill(user, session)) return;
        await bury(this.#context, key, rawId);
      }),
    );
  }

  /** False where it has become another's meanwhile, or his by a writer of ours. What cannot be decoded any more was his. */
  #isStill({ userId, generation }: RaisedUser, session: SourceSession): boolean {
    const converted = convertSession(session, this.#context);
    return !converted.ok || (converted.record.userId === userId && converted.record.userGeneration < generation);
  }
}
