import { WherryError } from '@wherry/core';
import type { AuthContext } from '../context.ts';
import { MIN_PASSWORD_LENGTH } from '../passwords.ts';

/** Refuses a password that nobody should choose. Errors: `bad_request` for a short one, `password_breached`. */
export async function checkNewPassword({ checkPassword }: Pick<AuthContext, 'checkPassword'>, password: string): Promise<void> {
  if (password.length < MIN_PASSWORD_LENGTH)
    throw new WherryError('bad_request', `the password is too short; it has at least ${MIN_PASSWORD_LENGTH} characters`);
  if ((await checkPassword?.(password)) === 'breached')
    throw new WherryError('password_breached', 'this password has become known elsewhere; choose another one');
}
