import { InvalidArgumentError } from 'commander';
import { ROLES, type Role } from '../config/index.ts';

/** Reads `auth,gateway`, for an option of a command. */
export function parseRoles(text: string): readonly Role[] {
  return text.split(',').map((name) => {
    const role = ROLES.find((known) => known === name.trim());
    if (role === undefined) throw new InvalidArgumentError(`Allowed are ${ROLES.join(', ')}, with commas between.`);
    return role;
  });
}
