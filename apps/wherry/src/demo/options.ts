import { WherryError } from '@wherry/core';
import { parseSourceUrl } from '../config/index.ts';
import type { ShardKind } from './shard-kind.ts';

/** What the user of the demo chooses. */
export interface DemoOptions {
  /** A Redis to take as the source; undefined: a DynamoDB-compatible store from npm. */
  readonly source: string | undefined;
  /** What the shards run on. */
  readonly shards: ShardKind;
  /** Sessions signed in before the migration. */
  readonly sessions: number;
  /** Virtual users who keep working. */
  readonly users: number;
  /** Decides the users' choices, not their timing. */
  readonly seed: number;
  /** Stop everything at the end rather than leave it running. */
  readonly exit: boolean;
}

/** Checks the source's address. Errors: `config_invalid`. */
export function checkDemoSource(source: string | undefined): void {
  if (source === undefined) return;
  const address = parseSourceUrl(source);
  if (address?.kind !== 'redis' || address.group !== undefined)
    throw new WherryError('config_invalid', '--source: allowed is redis://host:port or rediss://host:port');
}
