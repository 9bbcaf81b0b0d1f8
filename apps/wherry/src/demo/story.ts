import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Lifecycle } from '@wherry/core';
import { openDatabase } from '@wherry/core/control';
import { createLogger } from '@wherry/core/log';
import { changeMigration } from '@wherry/migration';
import type { MigratorService } from '@wherry/migrator';
import { openFoundation, prepareDatabases } from '../roles/foundation.ts';
import { addMigratorRole } from '../roles/migrator.ts';
import { Crowd } from './crowd.ts';
import type { DemoOptions } from './options.ts';
import { walkPhases, type PhasesEnd } from './phases.ts';
import { presentAtTarget } from './present-at-target.ts';
import { seedSessions } from './seed-sessions.ts';
import type { Stage } from './stage.ts';
import type { Teller } from './teller.ts';

/** What the demo is left with. */
export interface StoryEnd extends PhasesEnd {
  /** Of the migration. */
  readonly rollbacks: number;
}

const CROWD_WARM_MS = 2500;
/** The store from npm bears a few hundred writes a second, and every request is one: the crowd must not be what is measured. */
const DYNAMO_THINK_MS = 1600;
const REDIS_THINK_MS = 700;
const SHADOW_MS = 3000;
const ACTOR = { actor: 'demo' } as const;

/** The main job on a prepared stage: sessions are carried across and back and across, then clients go over to JWTs. */
export async function playStory(stage: Stage, options: DemoOptions, teller: Teller): Promise<StoryEnd> {
  teller.chapter(`${options.sessions.toLocaleString('en-US')} users sign in at the legacy application`);
  const seeds = join(stage.folder, 'seeds.ndjson');
  await seedSessions(stage.legacyUrl, options.sessions, seeds);
  await prepareDatabases(stage.config);
  await stage.startServices();
  teller.say(`auth listens on ${stage.authUrl}, the gateway on ${stage.gatewayUrl}`);

  teller.chapter(`${options.users} of them keep working through the gateway, all the time from here on`);
  const crowd = await startCrowd(stage, options, seeds, teller);
  await sleep(CROWD_WARM_MS);

  teller.chapter('the legacy application is restarted with its one line changed: store: wrapStore(theirs, wherry)');
  await stage.wrapLegacy();
  await sleep(CROWD_WARM_MS / 2);

  const service = await startMigrator(stage, teller);
  const control = service.migration.context.control;
  const reach = async (goal: 'source' | 'target', goalPercent: number): Promise<void> => {
    await changeMigration(control, { goal, goalPercent }, { ...ACTOR, reason: 'the demo goes on' });
    await service.migration.migrator.atGoal();
    teller.display.finish();
  };
  teller.chapter('the migration runs: plan, mirror, copy, verify, shadow, and half of the slots switch to the shards');
  await reach('target', 50);
  await sleep(CROWD_WARM_MS);
  teller.chapter('in the middle of the switch everything is taken back to the source');
  await reach('source', 100);
  await sleep(CROWD_WARM_MS);
  teller.chapter('forward again: all slots switch, and the migration settles');
  await reach('target', 100);

  return { ...(await walkPhases(stage, crowd, teller)), rollbacks: 1 };
}

async function startCrowd(stage: Stage, options: DemoOptions, seeds: string, teller: Teller): Promise<Crowd> {
  const foundation = openFoundation(stage.config, 'demo');
  stage.onClose(async () => foundation.component.stop?.());
  const crowd = await Crowd.start({
    gatewayUrl: stage.gatewayUrl,
    authUrl: stage.authUrl,
    users: options.users,
    seed: options.seed,
    seeds,
    ledger: join(stage.folder, 'ledger.ndjson'),
    firstUser: options.sessions + 1,
    thinkMs: options.source === undefined ? DYNAMO_THINK_MS : REDIS_THINK_MS,
    present: (ids) => presentAtTarget(foundation.shards, ids),
    onProgress: (step, done, total, rate) => teller.display.progress({ step, done, total, rate, leftMs: 0, figures: {} }),
    onFault: (fault) => teller.say(`the ledger notes a fault: ${JSON.stringify(fault)}`),
  });
  stage.onClose(() => crowd.stop());
  await crowd.tell({ do: 'start' });
  return crowd;
}

async function startMigrator(stage: Stage, teller: Teller): Promise<MigratorService> {
  const log = createLogger({ level: 'error', fields: { role: 'migrator' } });
  const lifecycle = new Lifecycle({ log });
  const control = openDatabase({ url: stage.config.control.url?.reveal() ?? '' });
  // Held until the goal of the first act is set.
  await changeMigration(control, { goal: 'target', goalPercent: 50 }, { ...ACTOR, reason: 'the demo begins' });
  await control.end();
  const service = await addMigratorRole(lifecycle, stage.config, log, {
    writers: 'instrumented',
    progress: teller.display,
    shadowMs: SHADOW_MS,
  });
  stage.onClose(() => lifecycle.end());
  await lifecycle.run();
  return service;
}
