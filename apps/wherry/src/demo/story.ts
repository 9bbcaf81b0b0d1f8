import { createWriteStream } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { Lifecycle } from '@wherry/core';
import { openDatabase, type Database } from '@wherry/core/control';
import { createLogger } from '@wherry/core/log';
import { changeMigration } from '@wherry/migration';
import type { MigratorService } from '@wherry/migrator';
import { moveRollout, readRollout, type RolloutCommand } from '@wherry/rollout';
import { request } from 'undici';
import type { ProgressDisplay } from '../progress/progress-display.ts';
import { openFoundation, prepareDatabases } from '../roles/foundation.ts';
import { addMigratorRole } from '../roles/migrator.ts';
import { Crowd, type CrowdReport } from './crowd.ts';
import type { DemoOptions } from './options.ts';
import type { Stage } from './stage.ts';

/** What the demo is left with. */
export interface StoryEnd {
  readonly report: CrowdReport;
  readonly rollbacks: number;
}

/** Tells what happens, as it happens. */
export interface Teller {
  chapter(text: string): void;
  say(text: string): void;
  readonly display: ProgressDisplay;
}

const CROWD_WARM_MS = 4000;
/** The store from npm bears a few hundred writes a second, and every request is one: the crowd must not be what is measured. */
const DYNAMO_THINK_MS = 1600;
const REDIS_THINK_MS = 700;
const SHADOW_MS = 4000;
const JWT_MS = 25_000;
const ACTOR = { actor: 'demo' } as const;

/** The main job on a prepared stage: sessions are carried across and back and across, then clients go over to JWTs. */
export async function playStory(stage: Stage, options: DemoOptions, teller: Teller): Promise<StoryEnd> {
  teller.chapter(`${options.sessions.toLocaleString('en-US')} users sign in at the legacy application`);
  const seeds = join(stage.folder, 'seeds.ndjson');
  await seedSessions(stage, options.sessions, seeds);
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

  teller.chapter('clients go from session tokens to JWTs: dual, then led for 50 % and 100 % of the users');
  await leadClients(stage, crowd, teller);

  teller.chapter('every session is asked for once more');
  const report = (await crowd.tell({ do: 'probe-all' })) as unknown as CrowdReport;
  return { report, rollbacks: 1 };
}

async function seedSessions(stage: Stage, count: number, file: string): Promise<void> {
  const { statusCode, body } = await request(`${stage.legacyUrl}/seed`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ from: 1, count }),
    bodyTimeout: 0,
    headersTimeout: 0,
  });
  if (statusCode !== 200) throw new Error(`the legacy application refused to sign users in: ${statusCode} ${await body.text()}`);
  await pipeline(Readable.from(body), createWriteStream(file, { mode: 0o600 }));
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
    // The target is asked with SQL of its own, not with the engine's code.
    present: async (ids) => {
      const found = new Set<string>();
      for (const shard of foundation.shards.all) {
        const { rows } = await shard.database.query<{ digest: string }>(
          `SELECT encode(session_id, 'hex') AS digest FROM user_session
           WHERE deleted_at IS NULL AND (expire_time IS NULL OR expire_time > (extract(epoch FROM clock_timestamp()) * 1000)::bigint)`,
        );
        for (const { digest } of rows) found.add(digest);
      }
      return ids.filter((id) => found.has(id));
    },
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

async function leadClients(stage: Stage, crowd: Crowd, teller: Teller): Promise<void> {
  const control = openDatabase({ url: stage.config.control.url?.reveal() ?? '' });
  try {
    await move(control, { command: 'advance' });
    await move(control, { command: 'advance', percent: 50 });
    teller.say('half of the users are led: their clients exchange the cookie for a JWT and send that');
    await crowd.tell({ do: 'mode', mode: 'jwt', percent: 50 });
    await sleep(JWT_MS / 4);
    await move(control, { command: 'set-percent', percent: 100 });
    teller.say('all users are led; tokens live 10 s and are exchanged again when they run out');
    await crowd.tell({ do: 'mode', mode: 'jwt', percent: 100 });
    await sleep(JWT_MS);
  } finally {
    await control.end();
  }
}

async function move(control: Database, command: RolloutCommand): Promise<void> {
  await moveRollout(control, command, { ...ACTOR, expectedVersion: (await readRollout(control)).version });
}
