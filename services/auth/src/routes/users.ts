import { WherryError } from '@wherry/core';
import { userIdClaim } from '@wherry/tokens';
import type { FastifyInstance } from 'fastify';
import type { AuthContext } from '../context.ts';
import { registerSchema } from '../http/schemas.ts';
import { requireOperator } from '../operator.ts';
import { MIN_PASSWORD_LENGTH } from '../passwords.ts';
import { checkNameFree, register } from '../users/register.ts';
import { USERNAME_RULE, readUsername } from '../users/username.ts';

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
    if (password.length < MIN_PASSWORD_LENGTH)
      throw new WherryError('bad_request', `the password is too short; it has at least ${MIN_PASSWORD_LENGTH} characters`);
    await checkNameFree(context.registration, name);
    const passwordHash = await context.passwords.hash(password);
    const id = await context.ids.next();
    const given = [...new Set(authorities ?? DEFAULT_AUTHORITIES)];
    await register(context.registration, { id, name, passwordHash, authorities: given });
    return reply.code(201).send({ userId: userIdClaim(id.toString()), username: name.shown, authorities: given });
  });
}
