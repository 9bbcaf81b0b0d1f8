import type { Component } from '@wherry/core';
import { applySchema, coreSchema, openDatabase, type Database } from '@wherry/core/control';
import { migrationSchema } from '@wherry/migration';
import { tokenFamilySchema } from '@wherry/renewal';
import { revocationSchema } from '@wherry/revocation';
import { rolloutSchema } from '@wherry/rollout';
import { sessionsControlSchema } from '@wherry/sessions';
import { sessionsShardSchema } from '@wherry/sessions/sql';
import { ShardSet, applyShardSchema, initialiseSlotMap, installSlotMap, shardSchema, shardsControlSchema } from '@wherry/shards';
import { tokensSchema } from '@wherry/tokens';
import { authControlSchema, authShardSchema } from '@wherry/auth';
import type { Metrics } from '@wherry/core';
import { requireControlUrl, requireShards, type WherryConfig } from '../config/index.ts';

/** The databases of a role. */
export interface Foundation {
  readonly control: Database;
  readonly shards: ShardSet;
  /** Closes both; added in front of everything that uses them. */
  readonly component: Component;
}

/** Opens the databases of a role. Nothing is connected yet. */
export function openFoundation(config: WherryConfig, role: string, metrics?: Metrics): Foundation {
  const control = openDatabase({ url: requireControlUrl(config), poolSize: config.control.poolSize, applicationName: `wherry ${role}` });
  const shards = new ShardSet({
    shards: requireShards(config),
    poolSize: config.shards.poolSize,
    ...(metrics === undefined ? {} : { metrics }),
  });
  return {
    control,
    shards,
    component: {
      name: 'databases',
      stop: async () => {
        await shards.stop();
        await control.end();
      },
    },
  };
}

/**
 * Brings control database and shards to the state that this version needs: tables, and on an empty system a slot map
 * with every slot at the source. Idempotent; safe when several processes start together.
 */
export async function prepareDatabases(config: WherryConfig): Promise<void> {
  const { control, shards, component } = openFoundation(config, 'schema');
  try {
    await applySchema(control, [
      coreSchema,
      shardsControlSchema,
      revocationSchema,
      tokensSchema,
      sessionsControlSchema,
      rolloutSchema,
      migrationSchema,
      authControlSchema,
    ]);
    const databases = shards.all.map(({ database }) => database);
    for (const database of databases)
      await applyShardSchema(database, [shardSchema, sessionsShardSchema, tokenFamilySchema, authShardSchema]);
    await initialiseSlotMap(control, shards.size, 'source', { audit: { actor: 'system', action: 'slots.initialised' } });
    await installSlotMap(control, databases);
  } finally {
    await component.stop?.();
  }
}
