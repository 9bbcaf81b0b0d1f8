// An application whose process is stopped or killed between two statements of a save.
import { PATIENT_MS } from '@wherry/embedded/testing';
import { Workbench } from '@wherry/migration/testing';
import { createRedisSource } from '@wherry/sessions/redis';
import type { WriterOrder } from './writer-order.ts';

const order = JSON.parse(process.argv[2] ?? '') as WriterOrder;
const bench = Workbench.attach(order.bench);
const source = createRedisSource({ url: order.redisUrl, prefix: order.prefix, timeoutMs: PATIENT_MS });
const { runtime } = await bench.process('writer');
let signalled = false;
const sessions = bench.carried(runtime, source, async (step) => {
  if (step !== (order.step ?? 'save.source-written') || signalled) return;
  signalled = true;
  process.stdout.write('written\n');
  // Only when the line is out, since neither signal lets anything finish.
  await new Promise((resolve) => setImmediate(resolve));
  process.kill(process.pid, order.signal);
});
const outcome = await sessions.save(order.rawId, order.value, order.lifeMs);
process.stdout.write(`${outcome}\n`);
await bench.close();
await source.close();
