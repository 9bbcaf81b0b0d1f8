// The process that captures what an application writes past us, and that ends itself by SIGKILL at a given step.
import { PATIENT_MS } from '@wherry/embedded/testing';
import { Workbench } from '@wherry/migration/testing';
import { createRedisReplicationFeed, createRedisSource } from '@wherry/sessions/redis';
import type { CaptureOrder } from './capture-order.ts';

const order = JSON.parse(process.argv[2] ?? '') as CaptureOrder;
const { redisUrl: url, prefix } = order;
const bench = Workbench.attach(order.bench);
const source = createRedisSource({ url, prefix, timeoutMs: PATIENT_MS });
let seen = 0;
const running = await bench.migrator(source, {
  writers: 'captured',
  capture: createRedisReplicationFeed({ url, prefix, timeoutMs: PATIENT_MS }),
  shadowMs: 50,
  shadowGraceMs: 50,
  tombstoneMs: 600_000,
  captureAt: async (step) => {
    if (step === order.crashAt && ++seen === order.occurrence) process.kill(process.pid, 'SIGKILL');
    await Promise.resolve();
  },
});
process.once('SIGTERM', () => {
  void running
    .end()
    .then(() => source.close())
    .then(() => bench.close())
    .then(() => process.exit(0));
});
