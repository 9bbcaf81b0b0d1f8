import { pause } from '@wherry/core';
import { leastAcknowledged, type Database } from '@wherry/core/control';
import { SHADOW_TOPIC, setShadowShare, shadowCounts } from '@wherry/sessions';
import type { MigrationContext } from '../context.ts';
import { ProgressMeter } from '../progress.ts';
import { VerificationNeeded } from '../switch/verification-needed.ts';

/** One difference in this many reads is what the guard allows. */
const ALLOWED_SHARE = 1 / 100_000;
const LOOK_EVERY_MS = 250;

/**
 * Lets every reader compare what it answers with the other side for `forMs`. No read in that time means no evidence
 * against the switch either. More differences than allowed make the two sides be compared again.
 */
export async function shadowReads(context: MigrationContext, forMs: number): Promise<void> {
  const { control, pace } = context;
  await pace.unit(0, () => setShadowShare(control, 1, true));
  const meter = new ProgressMeter(context.progress, 'shadow', forMs);
  const begun = performance.now();
  let told = 0;
  while (performance.now() - begun < forMs) {
    await pause(LOOK_EVERY_MS, pace.signal);
    const { compared, different } = await pace.unit(0, () => shadowCounts(control));
    const elapsed = Math.min(forMs, performance.now() - begun);
    meter.add(elapsed - told, { compared, different });
    told = elapsed;
  }
  const ended = await pace.unit(0, () => setShadowShare(control, 0, false));
  // Each reader answers behind its own grace, with the last of what it compared reported.
  while (!(await pace.unit(0, () => isAcknowledged(control, ended)))) await pause(LOOK_EVERY_MS, pace.signal);
  const { compared, different } = await pace.unit(0, () => shadowCounts(control));
  meter.add(0, { compared, different });
  meter.tell();
  if (different > compared * ALLOWED_SHARE) throw new VerificationNeeded(`${different} of ${compared} shadow reads differed`);
}

/** True when no live reader compares any more; one that does not answer at all is waited for until its lease has ended. */
async function isAcknowledged(control: Database, seq: bigint): Promise<boolean> {
  const least = await leastAcknowledged(control, SHADOW_TOPIC);
  return least === undefined || least >= seq;
}
