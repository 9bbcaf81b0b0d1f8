import { GatheredRead, type BinaryRow, type SlotKey } from '@wherry/shards';
import { BY_SESSION } from './mysql-statements.ts';
import type { StatementContext } from './statements.ts';

/** What is known of one client of a session that has, or had, a family. Epoch ms. */
export interface ClientEvidence {
  readonly clientId: string;
  /** When the client first presented a renewal credential or an access token of the session; null: never yet. */
  readonly provedAt: number | null;
  /** When it last used a session token although it has a family; null: never. */
  readonly sessionTokenUsedAt: number | null;
  /** Until when one of its families may be renewed, if it is not used before; null: all have ended. */
  readonly aliveUntil: number | null;
}

const NONE: readonly ClientEvidence[] = [];

/** Reads the evidence of a session's clients by the session's id. */
export function evidenceRead(context: StatementContext): GatheredRead<SlotKey, readonly ClientEvidence[]> {
  return new GatheredRead<SlotKey, readonly ClientEvidence[]>({
    name: 'family-evidence-get',
    table: 'token_family_evidence',
    // There a view of groups would be made whole for each statement: the families come one by one.
    mysqlBy: { table: 'token_family', ...BY_SESSION },
    columns: {
      postgres: ['t.clients::text'],
      mysql: [
        `CONCAT('[', JSON_ARRAY(t.client_id, t.proved_at, t.session_token_used_at,
          IF(t.ended_at IS NULL, LEAST(t.idle_expiry, COALESCE(t.absolute_expiry, t.idle_expiry)), NULL)), ']')`,
      ],
    },
    decode: (row, _, before) => withClients(before, row),
    absent: NONE,
    ...context,
  });
}

/** `before` and the clients of the row, each once. */
function withClients(before: readonly ClientEvidence[], row: BinaryRow): readonly ClientEvidence[] {
  const clients = new Map(before.map((client) => [client.clientId, client]));
  for (const [clientId, provedAt, sessionTokenUsedAt, aliveUntil] of JSON.parse(row.text()) as Client[]) {
    const known = clients.get(clientId);
    clients.set(clientId, {
      clientId,
      provedAt: extreme(Math.min, known?.provedAt, provedAt),
      sessionTokenUsedAt: extreme(Math.max, known?.sessionTokenUsedAt, sessionTokenUsedAt),
      aliveUntil: extreme(Math.max, known?.aliveUntil, aliveUntil),
    });
  }
  return [...clients.values()].toSorted((a, b) => (a.clientId < b.clientId ? -1 : 1));
}

type Client = readonly [string, number | null, number | null, number | null];

function extreme(of: (a: number, b: number) => number, a: number | null | undefined, b: number | null): number | null {
  if (a === null || a === undefined) return b;
  return b === null ? a : of(a, b);
}
