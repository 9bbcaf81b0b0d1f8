import { WherryError, isWherryError } from '@wherry/core';
import { BEARER_PREFIX } from '@wherry/renewal';
import { classifyCredential } from '@wherry/sessions';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { confirm } from '../caller.ts';
import type { RegisteredClient } from '../clients.ts';
import type { AuthContext } from '../context.ts';
import { readForm } from '../http/form.ts';
import { endRenewal } from '../renewal/end-renewal.ts';
import { isRefreshToken } from '../renewal/refresh-token-text.ts';
import { PROPAGATED_HEADER, endSessionOf } from '../routes/logout.ts';
import { sessionOfToken } from '../subject.ts';
import { clientOf } from './client-authentication.ts';
import { revokeSchema } from './schemas.ts';

/**
 * POST /oauth/revoke (RFC 7009): an access token ends alone, a session token with its session, a refresh token with its
 * family and all access tokens of that. What is unknown, or has ended, is answered the same: 200.
 */
export function revokeRoute(app: FastifyInstance, context: AuthContext): void {
  app.post<{ Body: string | undefined }>('/oauth/revoke', { schema: revokeSchema }, async (request, reply) => {
    const form = readForm(request.body ?? '');
    const client = await clientOf(context, request, form);
    const propagated = await revoke(context, request, client, form.required('token'));
    if (propagated !== undefined) reply.header(PROPAGATED_HEADER, String(propagated));
    return reply.send();
  });
}

/** Whether every instance acts on it; undefined: there was nothing to end. Errors: `client_grant_refused`, 503 of every kind. */
async function revoke(
  context: AuthContext,
  request: FastifyRequest,
  client: RegisteredClient,
  token: string,
): Promise<boolean | undefined> {
  if (isRefreshToken(token)) return endRenewal(context, client, token);
  const kind = classifyCredential(token);
  try {
    if (kind === 'jwt') return await endAccessToken(context, client, token);
    if (kind === 'session-token') return await endSession(context, request, client, token);
    return undefined;
  } catch (error) {
    // Of a token that does not count there is nothing to end (RFC 7009 section 2.2).
    if (isWherryError(error) && (error.status === 401 || error.code === 'user_disabled')) return undefined;
    throw error;
  }
}

async function endAccessToken(context: AuthContext, client: RegisteredClient, token: string): Promise<boolean> {
  const verification = context.oauth.verifier.verify(token, 'inspected');
  if (!verification.ok) throw new WherryError(verification.reason, 'the access token is not accepted');
  const { client_id, jti, exp } = verification.claims;
  requireOwn(context, client, client_id);
  await confirm(context, verification.claims);
  const { revocations } = context.runtime;
  // One that is renewed by itself is a refresh token too. Its own record is forgotten sooner than it could be renewed.
  const family = jti.startsWith(BEARER_PREFIX) ? await context.families.end(jti, { mode: 'bearer' }) : undefined;
  if (family !== undefined) await revocations.endFamily({ id: family, reason: 'revoked' });
  return revocations.propagated(await revocations.endToken({ jti, exp }));
}

async function endSession(context: AuthContext, request: FastifyRequest, client: RegisteredClient, token: string): Promise<boolean> {
  // One that was ended before is ended again: the first time may have stopped halfway.
  const session = await sessionOfToken(context, token).catch((error: unknown) => {
    if (!isWherryError(error, 'session_ended')) throw error;
  });
  requireOwn(context, client, session?.clientId);
  return (await endSessionOf(context, request, { kind: 'session-token', token })).propagated;
}

/**
 * A client revokes its own tokens, and nobody else does (RFC 7009 section 2.1). Those of a client that cannot prove who
 * it is belong to whoever has them.
 */
function requireOwn({ clients }: AuthContext, client: RegisteredClient, owner: string | undefined): void {
  if (owner === undefined || owner === client.id) return;
  if (clients.find(owner)?.confidential === true) throw new WherryError('client_grant_refused', 'the token is of another client');
}
