import { GatheredRead, SlotFollower, slotOf, type ShardSet, type SlotKey, type SlotMap } from '@wherry/shards';
import { userWrites, type UserWrites } from './statements.ts';
import type { Username } from './username.ts';

/** How far a registration has come; see the SQL of the table. */
export type UserState = 'pending' | 'active' | 'dead';

/** A registered user. Times in epoch milliseconds. */
export interface User {
  readonly id: bigint;
  /** As he wrote it. */
  readonly username: string;
  /** PHC string; never leaves this service. */
  readonly passwordHash: string;
  readonly authorities: readonly string[];
  readonly state: UserState;
  readonly createTime: number;
}

/** A registration that did not come to its end. */
export interface UnfinishedUser {
  readonly id: bigint;
  readonly username: string;
  readonly state: 'pending' | 'dead';
}

interface NameKey extends SlotKey {
  readonly canonical: string;
}

/** Options of {@link UserStore}. */
export interface UserStoreOptions {
  readonly shards: ShardSet;
  readonly map: SlotMap;
}

const UNFINISHED = {
  postgres: `SELECT id, username, state FROM app_user WHERE state <> 'active' AND create_time < $1 ORDER BY create_time, id LIMIT $2`,
  // An index holds all states there: those that are looked for are named.
  mysql: `SELECT id, username, state FROM app_user WHERE state IN ('pending', 'dead') AND create_time < $1 ORDER BY create_time, id LIMIT $2`,
};

/**
 * Users and names in the shards, each statement by itself and idempotent; `register.ts` and `repair.ts` have the order.
 * All calls throw `shard_unavailable`, `slot_not_owned`; a write that throws may or may not have happened.
 */
export class UserStore {
  readonly #shards: ShardSet;
  readonly #users: GatheredRead<SlotKey, User | undefined>;
  readonly #names: GatheredRead<NameKey, bigint | undefined>;
  readonly #writes: UserWrites;

  constructor({ shards, map }: UserStoreOptions) {
    const context = { shards, map, follower: new SlotFollower({ map, shards }) };
    this.#shards = shards;
    this.#users = new GatheredRead<SlotKey, User | undefined>({
      name: 'user-get',
      table: 'app_user',
      columns: ['t.username', 't.password_hash', 't.authorities', 't.state', 't.create_time'],
      decode: (row, { id }) => ({
        id,
        username: row.text(),
        passwordHash: row.text(),
        authorities: JSON.parse(row.text()) as string[],
        state: row.text() as UserState,
        createTime: row.number(),
      }),
      absent: undefined,
      ...context,
    });
    this.#names = new GatheredRead<NameKey, bigint | undefined>({
      name: 'username-get',
      table: 'username',
      columns: ['t.username', 't.user_id'],
      // Another name of the same hash is not this one.
      decode: (row, { canonical }) => (row.text() === canonical ? row.bigint() : undefined),
      absent: undefined,
      ...context,
    });
    this.#writes = userWrites(context);
  }

  /** The user under `id`, whatever his state. */
  async user(id: bigint): Promise<User | undefined> {
    return this.#users.get({ slot: slotOf(id), id });
  }

  /** Who has the name, whatever his state. */
  async ownerOf(name: Username): Promise<bigint | undefined> {
    return this.#names.get({ ...name.key, canonical: name.canonical });
  }

  /** Stores a user as pending. */
  async insertPending(user: Omit<User, 'state'>): Promise<void> {
    await this.#writes.insertUser.underCurrent({ slot: slotOf(user.id), ...user });
  }

  /** Takes the name for `userId`; `taken` when somebody else has it. */
  async claimName(name: Username, userId: bigint, at: number): Promise<'ours' | 'taken'> {
    const { outcome } = await this.#writes.claimName.underCurrent({ ...name.key, canonical: name.canonical, userId, at });
    return outcome === 'collision' ? 'taken' : 'ours';
  }

  /** Gives the name back where `userId` has it, and does nothing where somebody else does. */
  async releaseName(name: Username, userId: bigint): Promise<void> {
    await this.#writes.releaseName.underCurrent({ ...name.key, userId });
  }

  /** Moves a user from pending; false when he is neither there any more nor in state `to` already. */
  async move(id: bigint, to: 'active' | 'dead', at: number): Promise<boolean> {
    const { outcome } = await this.#writes.moveUser.underCurrent({ slot: slotOf(id), id, to, at });
    return outcome !== 'collision';
  }

  /** Removes a user who is dead. */
  async remove(id: bigint): Promise<void> {
    await this.#writes.removeUser.underCurrent({ slot: slotOf(id), id });
  }

  /** Gives an active user the password hash `to` where he has `from`; false where he has another, or is not active. */
  async setPassword(id: bigint, from: string, to: string, at: number): Promise<boolean> {
    const { outcome } = await this.#writes.setPassword.underCurrent({ slot: slotOf(id), id, from, to, at });
    return outcome !== 'collision';
  }

  /** Sets the authorities of an active user; false when there is none. */
  async setAuthorities(id: bigint, authorities: readonly string[], at: number): Promise<boolean> {
    const { outcome } = await this.#writes.setAuthorities.underCurrent({ slot: slotOf(id), id, authorities, at });
    return outcome !== 'collision';
  }

  /** Registrations begun before `before` that are not active, oldest first, at most `limit` of each shard. */
  async unfinished(before: number, limit: number): Promise<UnfinishedUser[]> {
    const pages = await Promise.all(
      this.#shards.all.map(async (shard) => {
        const { rows } = await shard.query<UnfinishedUser>({
          name: 'user-unfinished',
          text: UNFINISHED,
          values: [before, limit],
        });
        return rows;
      }),
    );
    return pages.flat();
  }
}
