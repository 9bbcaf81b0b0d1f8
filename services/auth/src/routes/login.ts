import { WherryError, isWherryError } from '@wherry/core';
import { userIdClaim } from '@wherry/tokens';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { advise } from '../access-tokens.ts';
import type { AuthContext } from '../context.ts';
import { loginSchema } from '../http/schemas.ts';
import { requestAddress } from '../log-in-limits/request-address.ts';
import { beginSession } from '../new-session.ts';
import { disabledError } from '../subject.ts';
import type { User } from '../users/user-store.ts';
import { readUsername, type Username } from '../users/username.ts';

interface LoginBody {
  readonly username: string;
  readonly password: string;
  readonly clientId?: string;
  /** True: a renewal credential is wanted. */
  readonly renewable?: boolean;
}

/**
 * POST /v1/login: one log-in gives a session token and an access token of the same session, each where the rollout gives them
 * out, and a renewal credential where it is asked for, or where there is no session token to go on by.
 */
export function loginRoutes(app: FastifyInstance, context: AuthContext): void {
  app.post<{ Body: LoginBody }>('/v1/login', { schema: loginSchema }, async (request, reply) => {
    const { username, password, clientId, renewable } = request.body;
    const client = context.clients.named(clientId);
    const { user, generation } = await withinLimits(context, username, request, (name) => authenticate(context, name, password));
    await markDevice(context, request, reply, username);
    const userId = user.id.toString();
    const session = await beginSession(context, { ...user, userId, generation }, client, { renewable });
    context.rolloutSide.signedIn(userId, client.id);
    advise(context, reply, userId, client.id);
    return {
      ...(session.sessionToken === undefined ? {} : { sessionToken: session.sessionToken }),
      ...session.access,
      ...session.renewal,
      sessionExpiresAt: session.sessionExpiresAt,
      userId: userIdClaim(userId),
      authorities: user.authorities,
    };
  });
}

/** The user and his generation when he was looked up. */
interface Authenticated {
  readonly user: User;
  readonly generation: number;
}

/** Counts a log-in before its password costs anything, and only one that fails for good. Errors: also `too_many_attempts`, `passwords_busy`. */
async function withinLimits(
  context: AuthContext,
  username: string,
  request: FastifyRequest,
  attempt: (name: Username | undefined) => Promise<Authenticated>,
): Promise<Authenticated> {
  const { logInLimits, passwords, deviceMarks } = context;
  const name = readUsername(username);
  // A crowd that finds no place is not to load control as well.
  passwords.checkRoom('check');
  const allowance = await logInLimits.take(
    name?.canonical,
    requestAddress(context, request),
    name === undefined ? undefined : deviceMarks.read(request.headers.cookie, name.canonical),
  );
  try {
    const found = await attempt(name);
    await allowance.succeeded();
    return found;
  } catch (error) {
    if (!isWherryError(error, 'login_failed')) await allowance.undecided();
    throw error;
  }
}

/** From now on failures elsewhere do not keep this device out. */
async function markDevice(
  { deviceMarks, logInLimits }: AuthContext,
  { headers }: FastifyRequest,
  reply: FastifyReply,
  username: string,
): Promise<void> {
  const account = readUsername(username)?.canonical;
  const mark = account === undefined ? undefined : deviceMarks.mark(headers, account);
  if (account === undefined || mark === undefined) return;
  await logInLimits.know(account, mark.device);
  if (mark.setCookie !== undefined) reply.header('set-cookie', mark.setCookie);
}

/**
 * The user whose name and password these are. One hash is computed in every case, and every refusal is the same, so
 * that neither time nor text tells which names exist.
 */
async function authenticate(
  { registration, runtime, passwords }: AuthContext,
  name: Username | undefined,
  password: string,
): Promise<Authenticated> {
  const id = name === undefined ? undefined : await registration.users.ownerOf(name);
  // Read before the row: a change of authorities that comes after this ends the session that is begun here.
  const generation = id === undefined ? 0 : runtime.ended.minimumGeneration(id.toString());
  // A name that nobody has costs a second look-up too.
  const found = name === undefined ? undefined : await registration.users.user(id ?? name.key.id);
  const user = id !== undefined && found?.state === 'active' ? found : undefined;
  const matches = await passwords.matches(user?.passwordHash, password);
  if (user === undefined || !matches) throw new WherryError('login_failed', 'username or password is wrong');
  // Told only to him who has the password. Asked of what was read: a session of this generation would outlive everything.
  if (generation === Number.POSITIVE_INFINITY) throw disabledError();
  return { user, generation };
}
