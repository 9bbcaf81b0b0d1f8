// The process that the crash tests kill: a migrator that ends itself by SIGKILL when it reaches a given point.
import { PATIENT_MS } from '@wherry/embedded/testing';
import { Workbench } from '@wherry/migration/testing';
import { createRedisSource } from '@wherry/sessions/redis';
import type { CrashOrder } from './crash-order.ts';

const order = JSON.parse(process.argv[2] ?? '') as CrashOrder;
const bench = Workbench.attach(order.bench);
const source = createRedisSource({ url: order.redisUrl, prefix: order.prefix, timeoutMs: PATIENT_MS });
let seen = 0;
const running = await bench.migrator(source, {
  writers: 'none',
  graceMs: 50,
  shadowMs: 50,
  // Nobody reads while it compares: no difference can be counted late.
  shadowGraceMs: 50,
  tombstoneMs: 600_000,
  at: async (point) => {
    if (point === order.crashAt && ++seen === order.occurrence) process.kill(process.pid, 'SIGKILL');
    await Promise.resolve();
  },
});
await running.migrator.atGoal();
await running.end();
await source.close();
await bench.close();
