import { ANONYMOUS_CLIENT, type RegisteredClient } from '../clients.ts';
import type { AuthContext } from '../context.ts';
import { readRefreshToken } from './refresh-token-text.ts';

/**
 * Ends the family of a refresh token, of whichever age (RFC 7009); access tokens that were made from it run out by
 * themselves. False: there is none, or it is another client's. Who names no client has shown that he has the token, which is
 * all that ending it takes. Errors: `shard_unavailable`, `slot_not_owned`.
 */
export async function endRenewal({ families }: AuthContext, client: RegisteredClient, text: string): Promise<boolean> {
  const token = readRefreshToken(text);
  if (token === undefined) return false;
  return families.end(token.credential, client.id === ANONYMOUS_CLIENT ? {} : { clientId: client.id });
}
