import type { AuthClient } from '../clients.ts';
import { COMMON, basicHeader } from './service.ts';

/** What one can ask a token for beside the service's own audience. */
export const ORDERS = 'https://orders.test';
export const BILLING = 'billing';

/** The clients of the tests of the endpoints under /oauth: one for each thing that a client may be. */
export const OAUTH_CLIENTS: readonly AuthClient[] = [
  ...(COMMON.clients ?? []),
  /** Acts for users, at one service or the other. */
  { id: 'desk', secret: 'desk secret', audiences: [COMMON.audience, ORDERS, BILLING] },
  /** Serves one audience, and has nothing to do with the rest. */
  { id: 'orders', secret: 'orders secret', audiences: [ORDERS] },
  /** Acts in its own name alone. */
  {
    id: 'batch',
    secret: 'batch secret',
    grants: ['client_credentials', 'token-exchange'],
    authorities: ['stock:read', 'stock:write'],
    audiences: [COMMON.audience, ORDERS],
    tokenSeconds: 60,
  },
  /** May do nothing but ask about tokens and end them. */
  { id: 'watch', secret: 'watch secret', grants: [] },
  { id: 'narrow-page', audiences: [COMMON.audience, ORDERS], tokenSeconds: 30 },
];

/** The headers of one of them. */
export function as(id: string): Record<string, string> {
  return { authorization: basicHeader(id, `${id} secret`) };
}
