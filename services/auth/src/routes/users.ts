import { WherryError, isWherryError } from '@wherry/core';
import { userIdClaim } from '@wherry/tokens';
import type { FastifyInstance } from 'fastify';
import type { AuthContext } from '../context.ts';
import { registerSchema } from '../http/schemas.ts';
import { requestAddress } from '../log-in-limits/request-address.ts';
import { requireOperator } from '../operator.ts';
import { checkNewPassword } from '../users/new-password.ts';
import { checkNameFree, register } from '../users/register.ts';
import { USERNAME_RULE, readUsername, type Username } from '../users/username.ts';

interface RegisterBody {
  readonly username: string;
  readonly password: string;
  readonly authorities?: readonly string[];
}

/** What a user has who registers himself. */
const DEFAULT_AUTHORITIES = ['user'];

/** POST /v1/users: registration. */
export function userRoutes(app: FastifyInstance, context: AuthContext): void {
  app.post<{ Body: RegisterBody }>('/v1/users', { schema: registerSchema }, async (request, reply) => {
    const { username, password, authorities } = request.body;
    // Nobody gives himself authorities.
    if (authorities !== undefined) requireOperator(context, request);
    const name = readUsername(username);
    if (name === undefined) throw new WherryError('bad_request', `the username is not allowed; it has ${USERNAME_RULE}`);
    const given = [...new Set(authorities ?? DEFAULT_AUTHORITIES)];
    context.passwords.checkRoom('new');
    // The operator registers as many as he likes.
    const address = authorities === undefined ? requestAddress(context, request) : undefined;
    const id = await withinLimit(context, address, () => create(context, name, password, given));
    return reply.code(201).send({ userId: userIdClaim(id.toString()), username: name.shown, authorities: given });
  });
}

/** Counts a registration that succeeds, and one whose name is taken: the names that exist could be tried out otherwise. */
async function withinLimit(context: AuthContext, address: string | undefined, attempt: () => Promise<bigint>): Promise<bigint> {
  const allowance = await context.logInLimits.takeRegistration(address);
  try {
    return await attempt();
  } catch (error) {
    if (!isWherryError(error, 'username_taken')) await allowance.undecided();
    throw error;
  }
}

/** The id of a new user. */
async function create(context: AuthContext, name: Username, password: string, authorities: readonly string[]): Promise<bigint> {
  await checkNewPassword(context, password);
  await checkNameFree(context.registration, name);
  const passwordHash = await context.passwords.hash(password);
  const id = await context.ids.next();
  await register(context.registration, { id, name, passwordHash, authorities });
  return id;
}
