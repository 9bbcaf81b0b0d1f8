import type { SourceAnalysis } from '../analysis/analyse-source.ts';
import { ColumnNames } from './column-names.ts';
import { proposeColumns, type AttributeColumn, type RefusedColumn } from './column-proposal.ts';
import { SESSION_INDEXES, proposeIndexes, type IndexProposal, type RefusedIndex } from './index-proposal.ts';
import { SESSION_COLUMNS } from './session-columns.ts';
import { proposeShards, type ShardProposal } from './shard-proposal.ts';

/** The relational form that is proposed for the sessions of a source. */
export interface SchemaProposal {
  /** Besides those that every session has. */
  readonly columns: readonly AttributeColumn[];
  readonly refusedColumns: readonly RefusedColumn[];
  readonly indexes: readonly IndexProposal[];
  readonly refusedIndexes: readonly RefusedIndex[];
  readonly shards: ShardProposal;
}

/** Proposes a schema from what was found in a source. */
export function proposeSchema(analysis: SourceAnalysis): SchemaProposal {
  const { identity, attributes, decoded, sessions, meanBytes, usesPerSecond } = analysis;
  const mapped = [identity.userId, identity.username, ...identity.authorities].filter((path) => path !== null);
  const names = new ColumnNames(SESSION_COLUMNS.map(({ name }) => name));
  const { columns, refused: refusedColumns } = proposeColumns(attributes, decoded, mapped, names);
  const { indexes, refused: refusedIndexes } = proposeIndexes(columns, decoded);
  return {
    columns,
    refusedColumns,
    indexes: [...SESSION_INDEXES, ...indexes],
    refusedIndexes,
    shards: proposeShards({ sessions, meanBytes, usesPerSecond }),
  };
}
