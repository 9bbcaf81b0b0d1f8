import { benchGateway } from './gateway/bench.ts';
import { benchMigration } from './migration/bench.ts';
import { benchRenewal } from './renewal/bench.ts';
import { tell, type BenchResult } from './report.ts';
import { benchRevocation } from './revocation/bench.ts';
import { benchSessions } from './sessions/bench.ts';
import { benchSwitch } from './switch/bench.ts';

const BENCHES: Readonly<Record<string, (quick: boolean) => Promise<BenchResult>>> = {
  gateway: benchGateway,
  sessions: benchSessions,
  migration: benchMigration,
  renewal: benchRenewal,
  revocation: benchRevocation,
  switch: benchSwitch,
};

const [name = '', ...options] = process.argv.slice(2);
const bench = Object.hasOwn(BENCHES, name) ? BENCHES[name] : undefined;
const unknown = options.find((option) => option !== '--quick');
if (bench === undefined || unknown !== undefined) {
  const what = bench === undefined ? `there is no bench "${name}"` : `there is no option "${unknown}"`;
  console.error(`${what}: npm run bench -- ${Object.keys(BENCHES).join('|')} [--quick]`);
  process.exit(2);
}
const quick = options.includes('--quick');
process.env['NODE_ENV'] = 'production';
try {
  tell(name, quick, await bench(quick));
  // What drivers leave open must not keep the process.
  process.exit(0);
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exit(1);
}
