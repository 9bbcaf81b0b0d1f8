import { createHash } from 'node:crypto';
import { noMetrics, silentLogger, type Logger, type Metrics } from '@wherry/core';

/** `breached`: it is on a list of passwords that have become known; `unknown`: that could not be found out. */
export type PasswordVerdict = 'ok' | 'breached' | 'unknown';

/** Says of a password that somebody wants to have whether it is known to attackers (NIST SP 800-63B section 3.1.1.2). Never rejects. */
export type CheckPassword = (password: string) => Promise<PasswordVerdict>;

/** Answers whether a list has the SHA-1 of a password, 40 upper-case hexadecimal digits. Rejects where it cannot tell. */
export type BreachedHashes = (sha1: string) => Promise<boolean>;

/**
 * The check against a list. A list that cannot be asked answers `unknown`, and the caller goes on: what it keeps out is
 * one weak choice among those that limits and hashing already bound, while a list that is away must not be able to keep
 * every user from changing a password, least of all the one whose old password was just stolen. A metric tells of it.
 */
export function passwordCheck(list: BreachedHashes, { metrics = noMetrics, log = silentLogger }: CheckOptions = {}): CheckPassword {
  const checks = metrics.counter({
    name: 'wherry_auth_password_checks_total',
    help: 'New passwords compared with the list of breached ones, by what came of it.',
    labels: ['outcome'],
  });
  return async (password) => {
    let outcome: PasswordVerdict;
    try {
      outcome = (await list(sha1Of(password))) ? 'breached' : 'ok';
    } catch (error) {
      outcome = 'unknown';
      log.warn('the list of breached passwords could not be asked; the password is let through', { error });
    }
    checks.inc({ outcome });
    return outcome;
  };
}

/** Options of {@link passwordCheck}. */
export interface CheckOptions {
  readonly metrics?: Metrics;
  readonly log?: Logger;
}

/** Such lists are keyed by it; nothing is protected by the hash. */
function sha1Of(password: string): string {
  return createHash('sha1').update(password.normalize('NFC'), 'utf8').digest('hex').toUpperCase();
}
