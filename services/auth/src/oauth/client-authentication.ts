import { WherryError } from '@wherry/core';
import { authorizationOf } from '@wherry/http';
import type { FastifyRequest } from 'fastify';
import type { RegisteredClient } from '../clients.ts';
import type { AuthContext } from '../context.ts';
import type { FormParameters } from '../http/form.ts';
import { ASSERTION_TYPE } from './client-assertion.ts';

/** How a client may prove who it is, as the metadata has it (RFC 8414 section 2). */
export const CLIENT_AUTHENTICATION_METHODS = ['client_secret_basic', 'private_key_jwt'] as const;

/**
 * The client behind a request (RFC 6749 section 2.3): by a secret in the header, by an assertion in the body, by its
 * name alone, or nobody. One that can prove who it is has to. Errors: `client_unauthenticated`; `bad_request` for two
 * ways at once, or a `client_id` that is not that of the proof; `control_unavailable` for an assertion.
 */
export async function clientOf(context: AuthContext, request: FastifyRequest, form: FormParameters): Promise<RegisteredClient> {
  const { clients, oauth } = context;
  // Also refuses a second header, of which node:http keeps only the first.
  const byHeader = authorizationOf(request.raw).kind !== 'none';
  const assertion = form.get('client_assertion');
  if ([byHeader, assertion !== undefined, form.has('client_secret')].filter(Boolean).length > 1)
    throw new WherryError('bad_request', 'the client authenticates in more than one way');
  if (form.has('client_secret'))
    throw new WherryError('client_unauthenticated', 'client_secret is not accepted in the body; use client_secret_basic');
  const named = form.get('client_id');
  const type = form.get('client_assertion_type');
  if (type !== (assertion === undefined ? undefined : ASSERTION_TYPE))
    throw new WherryError('bad_request', `client_assertion and client_assertion_type belong together, and the type is ${ASSERTION_TYPE}`);
  if (!byHeader && assertion === undefined) return clients.named(named);
  const client =
    assertion === undefined ? clients.authenticate(request.headers.authorization ?? '') : await oauth.assertions.authenticate(assertion);
  context.endpointLimits.proved(request, client.id);
  if (named !== undefined && named !== client.id)
    throw new WherryError('bad_request', 'client_id is not that of the client that authenticated');
  return client;
}

/** The same for an endpoint that nobody else may use. Errors: also `client_unauthenticated` for a public client, and nobody. */
export async function confidentialClientOf(context: AuthContext, request: FastifyRequest, form: FormParameters): Promise<RegisteredClient> {
  const client = await clientOf(context, request, form);
  if (!client.confidential) throw new WherryError('client_unauthenticated', 'this needs a client that authenticates');
  return client;
}
