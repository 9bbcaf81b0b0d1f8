import { openDatabase } from '@wherry/core/control';
import { PATIENT_MS } from '@wherry/embedded/testing';
import { TEST_IDENTITY, type Workbench } from '@wherry/migration/testing';
import {
  SessionRuntime,
  expressJsonDecoder,
  type CarriedSessions,
  type CarriedStep,
  type SessionRuntimeOptions,
  type SourceStore,
} from '@wherry/sessions';
import { Faults } from './faults.ts';
import { FaultyShards } from './faulty-shards.ts';
import { faultySource } from './faulty-source.ts';
import { ShiftedClock } from './shifted-clock.ts';

const TOUCH_EVERY_MS = 5;
/** Longer than a lease. */
const STOPPED_MS = 6000;

/** Options of {@link startProcess}. */
export interface TestProcessOptions {
  readonly bench: Workbench;
  readonly role: SessionRuntimeOptions['role'];
  /** Another way to the control database than the bench's. */
  readonly controlUrl?: string;
}

/** A session-keeping process inside this one, with a clock and faults of its own. */
export interface TestProcess {
  readonly runtime: SessionRuntime;
  readonly faults: Faults;
  /** Its sessions in `source`, its calls failing as its faults say. */
  carried(source: SourceStore, at?: (step: CarriedStep) => Promise<void>): CarriedSessions;
  /** As if it had been stopped for longer than its lease: it does not believe in it any more, and neither does anybody else. */
  lapse(): Promise<void>;
  /** Writes what it put off and gives its lease back. */
  leave(): Promise<void>;
}

/** Starts one; it lives until `leave`. */
export async function startProcess({ bench, role, controlUrl = bench.controlUrl }: TestProcessOptions): Promise<TestProcess> {
  const faults = new Faults();
  const clock = new ShiftedClock();
  const control = openDatabase({ url: controlUrl, statementMs: PATIENT_MS });
  const shards = new FaultyShards(
    { shards: bench.shardUrls.map((url, i) => ({ name: `shard${i}`, url })), statementMs: PATIENT_MS, deadlineMs: PATIENT_MS },
    faults,
  );
  const runtime = new SessionRuntime({ control, shards, masterKey: bench.masterKey, role, clock, touchEveryMs: TOUCH_EVERY_MS });
  await runtime.run();
  return {
    runtime,
    faults,
    carried: (source, at) =>
      runtime.carry({
        source: faultySource(source, faults),
        decode: expressJsonDecoder({ identity: TEST_IDENTITY }),
        ...(at === undefined ? {} : { at }),
      }),
    lapse: async () => {
      // In this order: a renewal that slips in between is refused, and nothing acts on the lapse that quickly.
      await control.query('UPDATE instance SET lease_until = wherry_now() - 1 WHERE id = $1', [runtime.instance.id]);
      clock.leap(STOPPED_MS);
    },
    leave: async () => {
      await runtime.drain();
      await runtime.stop();
      await shards.stop();
      await control.end();
    },
  };
}
