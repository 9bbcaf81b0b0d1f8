import { createInterface } from 'node:readline';
import { Client } from './client.ts';
import { Control } from './control.ts';
import { Crowd } from './crowd.ts';
import { Ledger } from './ledger.ts';
import { Meter } from './meter.ts';
import { readCommandLine, type CommandLine } from './options.ts';
import type { CrowdEvent } from './protocol.ts';
import { Random } from './random.ts';
import { adoptSeeds } from './seeds.ts';
import { Tally } from './tally.ts';
import { Wallet } from './wallet.ts';
import { firstSettings, noRenewals, type World } from './world.ts';

let line: CommandLine;
try {
  line = readCommandLine(process.argv.slice(2));
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exit(2);
}

const write = (event: CrowdEvent): void => void process.stdout.write(`${JSON.stringify(event)}\n`);
const meter = new Meter();
const world: World = {
  client: new Client({ meter }),
  ledger: new Ledger(line.ledger),
  wallet: new Wallet(Random.part(line.seed, -2), line.endedSample),
  tally: new Tally(),
  settings: firstSettings({ cookieName: line.cookieName, thinkMs: line.thinkMs, replayAfterMs: line.replayAfterMs }),
  renewals: noRenewals(),
  told: new Set(),
  onOffence: (offence) => write({ event: 'fault', ...offence }),
};
world.client.direct(line.gateways, line.auth);
const adopted = line.seeds === undefined ? [] : await adoptSeeds(world, line.seeds);
const crowd = new Crowd({ world, seed: line.seed, users: line.users, adopted, firstUser: line.firstUser });
const control = new Control({ world, crowd, meter, write });

const input = createInterface({ input: process.stdin });
input.on('line', (text) => control.take(text));
// A parent that is gone wants nothing more; signals to the group are its business, it says `stop`.
const parentGone = new Promise<void>((resolve) => {
  input.once('close', resolve);
  process.stdout.once('error', () => resolve());
  process.stdout.on('error', () => undefined);
});
process.on('SIGINT', () => undefined);
const terminated = new Promise<void>((resolve) => process.once('SIGTERM', () => resolve()));
write({ event: 'ready', users: line.users, sessions: world.ledger.size });

await Promise.race([control.stopped, parentGone, terminated]);
input.close();
await control.end();
await world.client.close();
await world.ledger.close();
// Standard output may be a pipe that is still being read, or one that nobody reads any more.
if (process.stdout.writable) process.stdout.end(() => process.exit(0));
else process.exit(0);
