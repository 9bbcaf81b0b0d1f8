import { audit } from '@wherry/core/control';
import type { Family } from '@wherry/renewal';
import { sessionIdText } from '@wherry/sessions';
import type { AuthContext } from '../context.ts';
import { endSessionById } from '../session-end.ts';

/**
 * Tells of a refresh token that was used again, whose family has ended by that (RFC 9700 section 4.14.2): in the log, in a
 * counter and in the audit log, once; and ends the family's access tokens, of which the thief may have one, and the session where
 * that is configured, every time, since the first time may have been cut short. Errors: those of ending a session.
 */
export async function tellOfReuse(context: AuthContext, { userId, clientId, sessionId, id }: Family, first: boolean): Promise<void> {
  const { renewal, runtime, log } = context;
  if (first) {
    const details = {
      userId,
      clientId,
      sessionId: sessionIdText(sessionId),
      family: id.toString(),
      sessionEnded: renewal.reuseEndsSession,
    };
    context.counts.reused++;
    log.warn('a refresh token was used again: its family has ended', details);
    await audit(runtime.control, {
      actor: 'system',
      action: 'renewal.reused',
      reason: 'a refresh token was presented again after its successor was used',
      details,
    }).catch((error: unknown) => log.error('the reuse of a refresh token is not in the audit log', { ...details, error }));
  }
  // Not again where it is done: whoever has an old token could have records written without end.
  if (!runtime.ended.isFamilyEnded(id.toString())) await runtime.revocations.endFamily({ id, reason: 'reused' });
  if (renewal.reuseEndsSession) await endSessionById(context, sessionId);
}
