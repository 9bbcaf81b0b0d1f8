import { startPostgres } from '@wherry/embedded';
import { PATIENT_MS } from '@wherry/embedded/testing';
import { expect, inject, test } from 'vitest';
import { ShardSet } from './shard-set.ts';
import { shardSuite } from './testing/shard-suite.ts';

/** Bounds where they are not what is tested. */
const PATIENT = { statementMs: PATIENT_MS, deadlineMs: PATIENT_MS };

shardSuite(async () => {
  const server = await startPostgres({ databases: ['a'] });
  return { ...server, address: server.url('a') };
});

test('connections read committed rows, and keep to look-ups by key', async () => {
  const url = new URL(inject('postgresUrl'));
  url.searchParams.set('options', '-c search_path=pg_catalog');
  const shards = new ShardSet({ shards: [{ name: 'a', url: url.href }], ...PATIENT });
  try {
    const settings = ['transaction_isolation', 'plan_cache_mode', 'enable_seqscan', 'search_path'];
    const { rows } = await shards.query<{ value: string }>(0, {
      name: 'settings',
      text: 'SELECT current_setting(s) AS value FROM unnest($1::text[]) s',
      values: [settings],
    });
    expect(rows.map(({ value }) => value)).toEqual(['read committed', 'force_generic_plan', 'off', 'pg_catalog']);
  } finally {
    await shards.stop();
  }
});
