import { WherryError } from '@wherry/core';
import { freeName, type RegistrationContext } from './repair.ts';
import type { Username } from './username.ts';

/** Who registers. */
export interface Registration {
  readonly id: bigint;
  readonly name: Username;
  /** PHC string. */
  readonly passwordHash: string;
  readonly authorities: readonly string[];
}

const ATTEMPTS = 3;

/**
 * Registers a user under a name that nobody else has, over two rows that may lie on different shards: the user as
 * pending, then the name, then the user as active. He can sign in from the last statement on. A crash in between leaves
 * what {@link repairRegistrations} undoes. Errors: `username_taken`, `conflict`, `shard_unavailable`, `slot_not_owned`.
 */
export async function register(context: RegistrationContext, { id, name, passwordHash, authorities }: Registration): Promise<void> {
  const { users, now, at } = context;
  await at?.('register.begun');
  await users.insertPending({ id, username: name.shown, passwordHash, authorities, createTime: now() });
  await at?.('register.user-pending');
  if (!(await claim(context, name, id))) {
    await users.move(id, 'dead', now());
    await at?.('register.refused');
    await users.remove(id);
    throw taken();
  }
  await at?.('register.name-claimed');
  if (!(await users.move(id, 'active', now()))) {
    // It took so long that it was taken for abandoned, and undone.
    await users.releaseName(name, id);
    throw new WherryError('conflict', 'the registration took too long and was undone; repeat it');
  }
  await at?.('register.user-active');
}

/** Refuses a name that is taken before anything costly is done for it. Errors: `username_taken`. */
export async function checkNameFree(context: RegistrationContext, name: Username): Promise<void> {
  if (!(await freeName(context, name))) throw taken();
}

async function claim(context: RegistrationContext, name: Username, id: bigint): Promise<boolean> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    if ((await context.users.claimName(name, id, context.now())) === 'ours') return true;
    if (!(await freeName(context, name))) return false;
  }
  return false;
}

function taken(): WherryError {
  return new WherryError('username_taken', 'somebody has this username, in this or another spelling');
}
