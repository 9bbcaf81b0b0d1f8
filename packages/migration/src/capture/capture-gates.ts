import type { MigrationContext } from '../context.ts';
import { readCapture, type CaptureView } from './capture-row.ts';

/** Further behind than this nothing changes its primary side, ms. */
const MAX_LAG_MS = 1000;
/** A report that is older says nothing any more; one is made twice a second. */
const MAX_AGE_MS = 5000;
/** Who has written past us within this time may do so again. */
const QUIET_MS = 30_000;

/** What a capture says against a change of the primary side. */
export interface CaptureObjection {
  readonly gate: 'capture_lag' | 'captured_writers' | 'not_verified';
  readonly detail: string;
}

/** What the capture, where there is one, says against a change of the primary side. `verifiedSince`: of the last verification that was equal. */
export function captureObjections(capture: CaptureView | undefined, verifiedSince: number | null): CaptureObjection[] {
  if (capture === undefined) return [];
  const objections: CaptureObjection[] = [];
  const { state, lagMs, lagBytes, ageMs, releasedAt, foreignAt, fault } = capture;
  if (state !== 'live' || ageMs > MAX_AGE_MS)
    objections.push({ gate: 'capture_lag', detail: `writes past us are not captured now${fault === null ? '' : ` (${fault})`}` });
  else if (lagMs > MAX_LAG_MS)
    objections.push({
      gate: 'capture_lag',
      detail: `what is captured is ${lagMs} ms and ${lagBytes} bytes behind; at most ${MAX_LAG_MS} ms are allowed`,
    });
  if (releasedAt === null)
    objections.push({
      gate: 'captured_writers',
      detail:
        'applications write past us, and nothing could stop them at the switch: wrap or stop all of them, then run the migrator with --writers instrumented or none',
    });
  else if (foreignAt !== null && capture.now - foreignAt < QUIET_MS)
    objections.push({
      gate: 'captured_writers',
      detail: `somebody wrote past us ${capture.now - foreignAt} ms ago; ${QUIET_MS} ms of quiet are needed`,
    });
  if (verifiedSince !== null && verifiedSince <= provenFrom(capture))
    objections.push({ gate: 'not_verified', detail: 'the capture began anew: what was written or ended in between is not known' });
  return objections;
}

/** A stream that can miss something proves nothing about writers; then only what was compared after the last of them counts. */
function provenFrom({ begunAt, reliable, releasedAt, foreignAt }: CaptureView): number {
  return reliable ? begunAt : Math.max(begunAt, releasedAt ?? Number.POSITIVE_INFINITY, foreignAt ?? 0);
}

/** False while something that was written past us may be on its way to the target. True where nothing is captured. */
export async function nothingUnderWay({ control, capture }: Pick<MigrationContext, 'control' | 'capture'>): Promise<boolean> {
  if (capture !== undefined) return capture.caughtUp();
  return (await readCapture(control)) === undefined;
}
