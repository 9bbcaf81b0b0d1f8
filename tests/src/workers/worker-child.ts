// One of several migrator processes on one migration. It ends or stops itself where it is told to, and says where it works.
import { once } from 'node:events';
import { PATIENT_MS } from '@wherry/embedded/testing';
import { Workbench, slicedSource } from '@wherry/migration/testing';
import type { WorkerOrder } from './worker-order.ts';

const order = JSON.parse(process.argv[2] ?? '') as WorkerOrder;
const bench = Workbench.attach(order.bench);
const source = slicedSource({ url: order.redisUrl, prefix: order.prefix, timeoutMs: PATIENT_MS }, order.slices);
let seen = 0;
if (order.waits === true) {
  process.stdout.write('ready\n');
  await once(process.stdin, 'data');
  process.stdin.destroy();
}
const running = await bench.migrator(source, {
  writers: 'none',
  graceMs: 50,
  shadowMs: 50,
  shadowGraceMs: 50,
  tombstoneMs: 600_000,
  batchSize: 5,
  at: (point) => {
    if (point === 'copy.partition-done') process.stdout.write('part\n');
    const { fate } = order;
    if (point !== fate?.at) return Promise.resolve();
    if (++seen === 1) process.stdout.write('there\n');
    if (seen === fate.occurrence) {
      process.stdout.write(`${fate.signal}\n`);
      process.kill(process.pid, fate.signal);
    }
    return Promise.resolve();
  },
});
if (order.waits !== true) process.stdout.write('ready\n');
await running.migrator.atGoal();
await running.end();
await source.close();
await bench.close();
