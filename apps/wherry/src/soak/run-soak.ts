import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { WherryError } from '@wherry/core';
import { startChild } from '../demo/child.ts';
import { Crowd, type CrowdReport } from '../demo/crowd.ts';
import { Operator } from '../demo/operator.ts';
import { outcomeLine } from '../demo/outcome.ts';
import { presentAtTarget } from '../demo/present-at-target.ts';
import { seedSessions } from '../demo/seed-sessions.ts';
import { openFoundation, prepareDatabases } from '../roles/foundation.ts';
import type { Terminal } from '../terminal.ts';
import { keepEvidence } from './evidence.ts';
import { MemoryWatch } from './memory-watch.ts';
import { ROLES, faultSchedule, faultText, type RoleName, type SoakFault } from './schedule.ts';
import { moveSessions } from './small-disk.ts';
import { buildSoakStage, type SoakStage } from './soak-stage.ts';
import { Steering, type Goal } from './steering.ts';
import { strike } from './strike.ts';

/** What the user of a soak chooses. */
export interface SoakOptions {
  /** How long faults are struck. */
  readonly minutes: number;
  /** Decides the faults and what the users do; not how they meet. */
  readonly seed: number;
  /** Sessions signed in before the migration. */
  readonly sessions: number;
  /** Virtual users who keep working. */
  readonly users: number;
}

const WHY_NO_DISK = 'because this process may not mount a small file system, or there are too many sessions for one';
const THINK_MS = 400;
const RENEWING_PERCENT = 50;
/** Forward, half-way, and back, again and again. */
const GOALS: readonly Goal[] = [
  { side: 'target', percent: 50 },
  { side: 'source', percent: 100 },
  { side: 'target', percent: 100 },
  { side: 'source', percent: 100 },
];

/**
 * Runs the whole system under live traffic while faults of a seed strike it, brings it to the target, and has the
 * crowd's ledger judge. Errors: `config_invalid`, `demo_flawed` when a figure that should be 0 is not.
 */
export async function runSoak(options: SoakOptions, terminal: Terminal): Promise<void> {
  if (options.sessions < options.users)
    throw new WherryError('config_invalid', `--sessions is ${options.sessions}; allowed is at least the number of users, ${options.users}`);
  // The processes of the soak end with this one, also where it is told to end.
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130));
  const begun = performance.now();
  const say = (text: string): void => terminal.out(`[${((performance.now() - begun) / 1000).toFixed(1).padStart(6)}] ${text}`);
  await using stage = await buildSoakStage(options.sessions);
  if (stage.disk === undefined) terminal.out(`LEFT OUT: full disks, ${WHY_NO_DISK}`);
  try {
    await play(stage, options, say, terminal);
  } catch (error) {
    terminal.out(`what happened is kept in ${await keepEvidence(stage.folder, stage.config.control.url?.reveal() ?? '')}`);
    throw error;
  }
}

async function play(stage: SoakStage, options: SoakOptions, say: (text: string) => void, terminal: Terminal): Promise<void> {
  await using closers = new AsyncDisposableStack();
  const memory = new MemoryWatch({ names: ROLES, pidOf: (name) => stage.roles[name as RoleName].pid, say });
  closers.defer(() => memory.stop());
  const crowd = await beginTraffic(stage, options, say, closers);
  const steering = new Steering(stage.config.control.url?.reveal() ?? '');
  closers.defer(() => steering.close());

  const ending = new AbortController();
  const struck: SoakFault[] = [];
  const striking = strikeUntil(stage, options.seed, ending.signal, (fault) => {
    struck.push(fault);
    say(faultText(fault));
  });
  const steered = steerUntil(steering, ending.signal, say);
  await Promise.race([sleep(options.minutes * 60_000), striking, steered]);
  ending.abort();
  await striking;
  let rollbacks = await steered;
  say('the faults are over; everything is brought to the target');
  for (const role of ROLES) await stage.roles[role].ready();
  if (rollbacks === 0) rollbacks += await rollBack(steering);
  await steering.aim({ side: 'target', percent: 100 });
  await steering.reached({ side: 'target', percent: 100 });
  await crowd.tell({ do: 'rest' });
  say('settled; every session is asked for once more');
  const report = (await crowd.tell({ do: 'probe-all' })) as unknown as CrowdReport;

  for (const offence of report.offences) terminal.out(`fault: ${JSON.stringify(offence)}`);
  for (const line of [...survived(struck, stage), 'memory of the processes:', ...memory.lines()]) terminal.out(line);
  terminal.out(
    `requests ${report.requests}, ended ones refused ${report.refused}, unavailable over 10 s ${report.unavailable}, failed ${report.failed}`,
  );
  terminal.out(outcomeLine({ report, rollbacks }));
  if (!isFlawless(report)) throw new WherryError('demo_flawed', 'a figure is not what it should be');
}

/** Users sign in at the plain application; then it is wrapped, all processes start, and the crowd comes through the gateways. */
async function beginTraffic(
  stage: SoakStage,
  { sessions, users, seed }: SoakOptions,
  say: (text: string) => void,
  closers: AsyncDisposableStack,
): Promise<Crowd> {
  const seeds = join(stage.folder, 'seeds.ndjson');
  const plain = await startChild(stage.plainApplication);
  await seedSessions(stage.legacyUrl, sessions, seeds);
  await plain.stop();
  say(`${sessions} users have signed in at the application`);
  await prepareDatabases(stage.config);
  if (stage.disk !== undefined) await moveSessions(stage.shardUrl, stage.disk.folder);
  await Promise.all(ROLES.map((role) => stage.roles[role].start()));
  say(`${ROLES.join(', ')} run, control, two shards and Redis with them`);
  const { shards, component } = openFoundation(stage.config, 'soak');
  closers.defer(() => component.stop?.());
  const operator = new Operator(stage.config);
  closers.defer(() => operator.close());
  await operator.move({ command: 'advance' }, 'tokens are given out beside');
  const crowd = await Crowd.start({
    gatewayUrl: stage.gatewayUrls[0] ?? '',
    authUrl: stage.authUrl,
    users,
    seed,
    seeds,
    ledger: join(stage.folder, 'ledger.ndjson'),
    firstUser: sessions + 1,
    thinkMs: THINK_MS,
    present: (ids) => presentAtTarget(shards, ids),
    onFault: (fault) => say(`the ledger notes a fault: ${JSON.stringify(fault)}`),
    onProgress: () => undefined,
  });
  closers.defer(() => crowd.stop());
  await crowd.tell({ do: 'set-gateway', url: stage.gatewayUrls });
  await crowd.tell({ do: 'mode', mode: 'renewing', percent: RENEWING_PERCENT });
  await crowd.tell({ do: 'overlap', on: true });
  await crowd.tell({ do: 'start' });
  say(`${users} of them keep working through both gateways`);
  return crowd;
}

async function strikeUntil(stage: SoakStage, seed: number, signal: AbortSignal, told: (fault: SoakFault) => void): Promise<void> {
  for (const { pauseMs, fault } of faultSchedule(seed)) {
    await sleep(pauseMs, undefined, { signal }).catch(() => undefined);
    if (signal.aborted) return;
    if (fault.kind === 'full-disk' && stage.disk === undefined) continue;
    told(fault);
    await strike(stage, fault, signal);
  }
}

/** Goes from goal to goal and answers how many ways back were gone to their end. */
async function steerUntil(steering: Steering, signal: AbortSignal, say: (text: string) => void): Promise<number> {
  let rollbacks = 0;
  for (let turn = 0; !signal.aborted; turn++) {
    const goal = GOALS[turn % GOALS.length];
    if (goal === undefined) break;
    await steering.aim(goal);
    if (!(await steering.reached(goal, signal))) break;
    say(`at the goal: ${goal.side} ${goal.percent} %`);
    if (goal.side === 'source') rollbacks++;
  }
  return rollbacks;
}

/** A run too short for a way back gets one all the same. */
async function rollBack(steering: Steering): Promise<number> {
  const there: Goal = { side: 'target', percent: 10 };
  const back: Goal = { side: 'source', percent: 100 };
  for (const goal of [there, back]) {
    await steering.aim(goal);
    await steering.reached(goal);
  }
  return 1;
}

function survived(struck: readonly SoakFault[], { roles }: SoakStage): string[] {
  const counts = new Map<string, number>();
  for (const fault of struck) {
    const what = kindText(fault);
    counts.set(what, (counts.get(what) ?? 0) + 1);
  }
  const givenUp = ROLES.reduce((sum, role) => sum + roles[role].givenUp, 0);
  return [
    `faults survived: ${struck.length}`,
    ...[...counts].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([what, count]) => `  ${count} ${what}`),
    ...(givenUp === 0 ? [] : [`processes that gave up and were started again: ${givenUp}`]),
  ];
}

function kindText(fault: SoakFault): string {
  switch (fault.kind) {
    case 'restart':
    case 'crash':
      return `${fault.kind} of ${fault.server}`;
    case 'cut':
      return `cut of ${fault.role} from ${fault.server}`;
    case 'full-disk':
      return 'full disk of shard-0';
    case 'kill':
    case 'freeze':
    case 'clock':
      return `${fault.kind} of ${fault.role}`;
  }
}

/** What users would notice for good. Outages longer than their patience are shown, but belong to the faults. */
function isFlawless(report: CrowdReport): boolean {
  const { lost, resurrected, signedOut, authoritiesChanged, otherUser, forged, staleRenewals } = report;
  const wrong = lost + resurrected + signedOut + authoritiesChanged + otherUser + forged + staleRenewals;
  return wrong === 0 && report.carried > 0 && report.carried === report.probed.live;
}
