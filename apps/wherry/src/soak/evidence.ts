import { cpSync, mkdtempSync, readdirSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openDatabase } from '@wherry/core/control';
import { migrationStatus } from '@wherry/migrator';

/** Keeps what tells of a run that went wrong: the processes' logs, the crowd's ledger, and how the migration stands. Answers where. */
export async function keepEvidence(folder: string, controlUrl: string): Promise<string> {
  const kept = mkdtempSync(join(tmpdir(), 'wherry-soak-evidence-'));
  const told = readdirSync(folder).filter((file) => file.endsWith('.log') || file === 'ledger.ndjson');
  for (const file of told) cpSync(join(folder, file), join(kept, file));
  const control = openDatabase({ url: controlUrl, poolSize: 1 });
  for (const [name, look] of [
    ['status', () => migrationStatus(control)],
    ['journal', async () => (await control.query('SELECT * FROM migration_journal ORDER BY id DESC LIMIT 200')).rows],
    ['parts', async () => (await control.query('SELECT * FROM migration_pass')).rows],
  ] as const) {
    try {
      writeFileSync(join(kept, `${name}.json`), JSON.stringify(await look(), plain, 2));
    } catch {
      // The control database may be what is at fault.
    }
  }
  await control.end();
  return kept;
}

function plain(_key: string, value: unknown): unknown {
  return typeof value === 'bigint' ? String(value) : value;
}
