import { ANONYMOUS_CLIENT, type RegisteredClient } from '../clients.ts';
import type { AuthContext } from '../context.ts';
import { readRefreshToken } from './refresh-token-text.ts';

/**
 * Ends the family of a refresh token, of whichever age, and with it all access tokens that it gave (RFC 7009 section 2.1).
 * Answers whether every instance acts on it; undefined: there is none, or it is another client's. Who names no client has
 * shown that he has the token, which is all that ending it takes. A repeat goes on where the first time stopped. Errors:
 * `shard_unavailable`, `slot_not_owned`, `control_unavailable`.
 */
export async function endRenewal(
  { families, runtime: { revocations } }: AuthContext,
  client: RegisteredClient,
  text: string,
): Promise<boolean | undefined> {
  const token = readRefreshToken(text);
  if (token === undefined) return undefined;
  // The family first: a renewal that is under way either comes too late, or its token is among those that end.
  const id = await families.end(token.credential, client.id === ANONYMOUS_CLIENT ? {} : { clientId: client.id });
  return id === undefined ? undefined : revocations.propagated(await revocations.endFamily({ id, reason: 'revoked' }));
}
