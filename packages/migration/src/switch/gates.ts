import { undecidedDeadLetters } from '@wherry/sessions';
import { captureObjections, type CaptureObjection } from '../capture/capture-gates.ts';
import { readCapture } from '../capture/capture-row.ts';
import type { MigrationContext } from '../context.ts';
import { isVerificationWanted } from '../journal/state.ts';

/** Why the primary side may not change now. */
export interface ClosedGate {
  readonly gate: 'dead_letters' | 'repairs' | 'ends' | 'not_verified' | 'lapsed_writer' | 'clock_offset' | CaptureObjection['gate'];
  readonly count: number;
  /** For people: what is wrong and what helps. */
  readonly detail: string;
}

/** A greater offset between source and target would let sessions live too long or end too early. */
const MAX_OFFSET_MS = 1000;

/**
 * The gates that must be open before a slot changes its primary side; repairs and ends of `slots` only where given, dead
 * letters everywhere: their owners must be decided about before anything moves. A lapsed process may
 * have died between a write and its mirror, so nothing is known of its last writes until a verification has begun after
 * its end.
 */
export async function closedGates(context: MigrationContext, slots?: readonly number[]): Promise<ClosedGate[]> {
  const [letters, repairs, ends, state, lapsed, capture] = await Promise.all([
    undecidedDeadLetters(context.control),
    context.repairs.count(slots),
    context.revocations.undrained(slots, 1000),
    context.journal.read(),
    lapsedInstances(context),
    readCapture(context.control),
  ]);
  const gates: ClosedGate[] = [];
  const close = (gate: ClosedGate['gate'], count: number, detail: string): void => {
    if (count > 0) gates.push({ gate, count, detail });
  };
  close('dead_letters', letters, `${letters} sessions cannot be carried; decide about them with "wherry migrate dead-letters"`);
  close('repairs', repairs, `${repairs} second writes wait for their repair`);
  close('ends', ends.length, `${ends.length} ended sessions are not out of both stores yet`);
  close('not_verified', state.verifiedSince === null ? 1 : 0, 'no verification has found the two sides equal yet');
  if (state.verifiedSince !== null) close('not_verified', isVerificationWanted(state) ? 1 : 0, 'an operator asked for a verification');
  close('lapsed_writer', lapsed, `${lapsed} processes ended without giving their lease back; a verification makes up for them`);
  for (const { gate, detail } of captureObjections(capture, state.verifiedSince)) close(gate, 1, detail);
  const offset = Math.abs(context.sourceOffsetMs());
  close(
    'clock_offset',
    offset > MAX_OFFSET_MS ? 1 : 0,
    `the clocks of source and target differ by ${offset} ms; at most ${MAX_OFFSET_MS} is allowed`,
  );
  return gates;
}

/** How many processes that could write have lapsed and were not looked after. */
export async function lapsedInstances(context: Pick<MigrationContext, 'control' | 'slots'>): Promise<number> {
  const { rows } = await context.control.query<{ count: bigint }>(
    `SELECT count(*) FROM instance WHERE state = 'live' AND lease_until <= wherry_now() AND acked ? $1`,
    [context.slots.topic],
  );
  return Number(rows[0]?.count ?? 0n);
}

/** Writes down that a verification which began at `since` (control's clock) has made up for those that lapsed before. */
export async function settleLapsed(context: Pick<MigrationContext, 'control' | 'slots'>, since: number): Promise<void> {
  await context.control.query(`UPDATE instance SET state = 'settled' WHERE state = 'live' AND lease_until <= $2 AND acked ? $1`, [
    context.slots.topic,
    since,
  ]);
}
