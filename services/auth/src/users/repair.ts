import type { UserStore } from './user-store.ts';
import { readUsername, type Username } from './username.ts';

/** What registrations and their repair work with. Times in milliseconds. */
export interface RegistrationContext {
  readonly users: UserStore;
  /** Epoch ms, the same for all instances. */
  readonly now: () => number;
  /** How long a registration may take; one that is older was abandoned. */
  readonly graceMs: number;
  /** Awaited between statements; absent outside tests. */
  readonly at?: (step: RegistrationStep) => Promise<void>;
}

/** Names of the places between two statements, for tests that crash there. */
export type RegistrationStep =
  | 'register.begun'
  | 'register.user-pending'
  | 'register.name-claimed'
  | 'register.user-active'
  | 'register.refused'
  | 'repair.user-dead'
  | 'repair.name-released'
  | 'repair.user-removed';

const PAGE = 500;

/**
 * Undoes registrations that nobody goes on with, and answers how many. Any instance may, at any time, several at once.
 *
 * The user is made dead by compare-and-set first: from then on the one who registers cannot make him active, so the name
 * that is given back after that is nobody's. One who is slow may still take the name for the dead user; he then finds
 * that he cannot become active and gives it back himself, and should he die in between, the next one who wants the name
 * finds that its owner is dead, or gone, and frees it. A user's row is older than the name's, so a name whose owner is
 * not there belongs to a removed one.
 */
export async function repairRegistrations(context: RegistrationContext): Promise<number> {
  const { users, now, graceMs } = context;
  const unfinished = await users.unfinished(now() - graceMs, PAGE);
  let repaired = 0;
  for (const { id, username } of unfinished) if (await undo(context, id, username)) repaired++;
  return repaired;
}

/** Frees a name whose owner is dead, gone or abandoned. False: somebody has it, or is about to. */
export async function freeName(context: RegistrationContext, name: Username): Promise<boolean> {
  const { users, now, graceMs } = context;
  const owner = await users.ownerOf(name);
  if (owner === undefined) return true;
  const user = await users.user(owner);
  if (user === undefined) {
    await users.releaseName(name, owner);
    return true;
  }
  if (user.state === 'active' || (user.state === 'pending' && user.createTime > now() - graceMs)) return false;
  return undo(context, owner, user.username);
}

/** False: the user has become active after all. */
async function undo({ users, now, at }: RegistrationContext, id: bigint, username: string): Promise<boolean> {
  if (!(await users.move(id, 'dead', now())) && (await users.user(id)) !== undefined) return false;
  await at?.('repair.user-dead');
  const name = readUsername(username);
  if (name !== undefined) await users.releaseName(name, id);
  await at?.('repair.name-released');
  await users.remove(id);
  await at?.('repair.user-removed');
  return true;
}
