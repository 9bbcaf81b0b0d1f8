import { benchGateway } from './gateway/bench.ts';
import { benchMigration } from './migration/bench.ts';
import { benchMigrationLoad } from './migration/load.ts';
import { benchRenewal } from './renewal/bench.ts';
import { tell, type BenchResult } from './report.ts';
import { benchRevocation } from './revocation/bench.ts';
import { benchSessions } from './sessions/bench.ts';
import { benchSwitch } from './switch/bench.ts';

const BENCHES: Readonly<Record<string, (quick: boolean, sessions?: number) => Promise<BenchResult>>> = {
  gateway: benchGateway,
  sessions: benchSessions,
  migration: benchMigration,
  'migration-load': benchMigrationLoad,
  renewal: benchRenewal,
  revocation: benchRevocation,
  switch: benchSwitch,
};

const [name = '', ...options] = process.argv.slice(2);
const bench = Object.hasOwn(BENCHES, name) ? BENCHES[name] : undefined;
const sized = options.flatMap((option) => /^--sessions=(\d{1,8})$/.exec(option)?.[1] ?? []);
const unknown = options.find((option) => option !== '--quick' && !/^--sessions=\d{1,8}$/.test(option));
if (bench === undefined || unknown !== undefined) {
  const what = bench === undefined ? `there is no bench "${name}"` : `there is no option "${unknown}"`;
  console.error(`${what}: npm run bench -- ${Object.keys(BENCHES).join('|')} [--quick] [--sessions=N, for migration-load]`);
  process.exit(2);
}
const quick = options.includes('--quick');
process.env['NODE_ENV'] = 'production';
try {
  tell(name, quick, await bench(quick, sized[0] === undefined ? undefined : Number(sized[0])));
  // What drivers leave open must not keep the process.
  process.exit(0);
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exit(1);
}
