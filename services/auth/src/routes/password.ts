import { WherryError, isWherryError } from '@wherry/core';
import { userIdClaim } from '@wherry/tokens';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { credentialOf, principalOf } from '../caller.ts';
import type { AuthContext } from '../context.ts';
import { changePasswordSchema } from '../http/schemas.ts';
import { requestAddress } from '../log-in-limits/request-address.ts';
import { beginSession } from '../new-session.ts';
import { checkNewPassword } from '../users/new-password.ts';
import type { User } from '../users/user-store.ts';
import { registeredId } from '../users/registered-id.ts';
import { readUsername } from '../users/username.ts';

interface PasswordBody {
  readonly oldPassword: string;
  readonly newPassword: string;
  readonly staySignedIn?: boolean;
  /** True: with a renewal credential. */
  readonly renewable?: boolean;
}

/**
 * POST /v1/users/me/password: the signed-in user gives himself another password. All that he has ends with it, since
 * some of it may be another's by then. Who asks to stay signed in gets a new session in the answer: the one that he
 * came with is not spared, because whoever has stolen a session has stolen this one.
 */
export function passwordRoutes(app: FastifyInstance, context: AuthContext): void {
  app.post<{ Body: PasswordBody }>('/v1/users/me/password', { schema: changePasswordSchema }, async (request) => {
    const { oldPassword, newPassword, staySignedIn = false, renewable } = request.body;
    const { user, clientId } = await callerOf(context, request);
    const userId = user.id.toString();
    await proveOld(context, request, user, oldPassword);
    if (newPassword === oldPassword) throw new WherryError('bad_request', 'the new password is the old one');
    await checkNewPassword(context, newPassword);
    const hash = await context.passwords.hash(newPassword);
    const { userEnds, registration } = context;
    const end = await userEnds.after(userId, `user:${userId}`, 'password changed', () =>
      registration.users.setPassword(user.id, user.passwordHash, hash, registration.now()),
    );
    if (end === undefined) throw new WherryError('conflict', 'the password was changed by another request at the same time');
    const answer = { userId: userIdClaim(userId), propagated: end.propagated };
    if (!staySignedIn) return answer;
    // The client that the credential names was asked for its proof when that was given out.
    const client = context.clients.find(clientId ?? '') ?? context.clients.named(undefined);
    const session = await beginSession(context, { ...user, userId, generation: end.generation }, client, { renewable });
    return {
      ...answer,
      ...(session.sessionToken === undefined ? {} : { sessionToken: session.sessionToken }),
      ...session.access,
      ...session.renewal,
      sessionExpiresAt: session.sessionExpiresAt,
    };
  });
}

/** The registered user who is calling, and by which client. Errors: as `principalOf`; `forbidden` for others than registered users. */
async function callerOf(context: AuthContext, request: FastifyRequest): Promise<{ user: User; clientId: string | undefined }> {
  const credential = credentialOf(context, request);
  // A cookie is the sign of another application's session, and its user's password is that application's.
  const principal = credential.kind === 'legacy-cookie' ? undefined : await principalOf(context, request, credential);
  const id = principal === undefined ? undefined : registeredId(principal.userId);
  const user = id === undefined ? undefined : await context.registration.users.user(id);
  if (user?.state !== 'active') throw new WherryError('forbidden', 'the password of this user is not kept here');
  return { user, clientId: principal?.clientId };
}

/** Counted as a log-in is, and against the same account: a stolen session is no way to try passwords out. */
async function proveOld(context: AuthContext, request: FastifyRequest, user: User, password: string): Promise<void> {
  const { passwords, logInLimits } = context;
  passwords.checkRoom('check');
  const allowance = await logInLimits.take(readUsername(user.username)?.canonical, requestAddress(context, request));
  try {
    if (!(await passwords.matches(user.passwordHash, password))) throw new WherryError('password_wrong', 'the old password is wrong');
  } catch (error) {
    if (!isWherryError(error, 'password_wrong')) await allowance.undecided();
    throw error;
  }
  await allowance.succeeded();
}
