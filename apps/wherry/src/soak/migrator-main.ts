// The migrator of a soak: as `wherry up --roles migrator`, with shadow reads as short as the run.
import { Lifecycle } from '@wherry/core';
import { createLogger } from '@wherry/core/log';
import { loadConfig } from '../config/index.ts';
import { addMigratorRole } from '../roles/migrator.ts';

const SHADOW_MS = 1500;

const { config } = loadConfig({ environment: process.env });
const log = createLogger({ level: config.log.level, fields: { role: 'migrator' } });
const lifecycle = new Lifecycle({ log });
await addMigratorRole(lifecycle, config, log, { writers: 'instrumented', shadowMs: SHADOW_MS });
lifecycle.endOnSignals();
await lifecycle.run();
log.info('ready');
await lifecycle.ended;
