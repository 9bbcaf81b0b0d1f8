import type { SourceAnalysis } from '../analysis/analyse-source.ts';
import type { ColumnType } from './column-proposal.ts';
import type { SchemaProposal } from './schema-proposal.ts';

/** What `plan/mapping.json` holds: how to read the sessions, and which attribute goes to which column. */
export interface MappingFile {
  /** As the section `source` of the configuration takes it. */
  readonly source: {
    readonly format: string;
    readonly identity: { readonly userId: string | null; readonly username: string | null; readonly authorities: readonly string[] };
  };
  readonly columns: readonly {
    readonly column: string;
    /** Member names from the top of the session. */
    readonly path: readonly string[];
    readonly type: ColumnType['is'];
  }[];
  /** Where everything else is, and those attributes too. */
  readonly rest: 'attributes';
  readonly shards: number;
}

/** The mapping of a proposal. */
export function mappingFile({ layout, identity }: SourceAnalysis, { columns, shards }: SchemaProposal): MappingFile {
  const { userId, username, authorities } = identity;
  return {
    source: { format: layout, identity: { userId, username, authorities } },
    columns: columns.map(({ name, path, type }) => ({ column: name, path, type: type.is })),
    rest: 'attributes',
    shards: shards.shards,
  };
}
