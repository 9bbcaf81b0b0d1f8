import { GatheredRead, type BinaryRow, type SlotKey } from '@wherry/shards';
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
    columns: ['t.clients::text'],
    decode: decodeEvidence,
    absent: NONE,
    ...context,
  });
}

function decodeEvidence(row: BinaryRow): readonly ClientEvidence[] {
  const clients = JSON.parse(row.text()) as [string, number | null, number | null, number | null][];
  return clients.map(([clientId, provedAt, sessionTokenUsedAt, aliveUntil]) => ({ clientId, provedAt, sessionTokenUsedAt, aliveUntil }));
}
