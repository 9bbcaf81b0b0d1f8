import { pause } from '@wherry/core';
import type { Instance } from '@wherry/core/control';
import { forgetDeadLettersBefore, sourceCompared } from '@wherry/sessions';
import { readCapture } from './capture/capture-row.ts';
import { copySessions } from './copy/copy.ts';
import type { MigrationContext } from './context.ts';
import type { MigrationState, MigrationStep } from './journal/state.ts';
import { planMigration } from './plan/plan.ts';
import { workOff } from './repair/work-off.ts';
import { shadowReads } from './shadow/shadow.ts';
import { settleLapsed } from './switch/gates.ts';
import { switchSlots } from './switch/switch.ts';
import { countDifferences } from './verify/differences.ts';
import { verifySessions } from './verify/verify.ts';

const LOOK_EVERY_MS = 300;
const LOOKS = 10;

/** What the steps need beside the context. */
export interface StepOptions {
  readonly instance: Instance;
  /** `instrumented`: wait for a live one before copying. `captured`: for the capture. `none`: nobody writes to the source. */
  readonly writers: 'instrumented' | 'captured' | 'none';
  /** How long shadow reads run at least, ms. */
  readonly shadowMs: number;
}

/** Runs the step that the migration is in, to its end; answers the step that follows. Repeatable after a crash at any point. */
export async function runStep(context: MigrationContext, state: MigrationState, options: StepOptions): Promise<MigrationStep> {
  switch (state.step) {
    case 'plan': {
      const plan = await context.pace.unit(0, () => planMigration(context));
      await context.journal.reach('plan.done', { ...plan });
      return 'mirror';
    }
    case 'mirror':
      await waitForWriters(context, options.writers);
      await context.journal.reach('mirror.done', { writers: options.writers });
      return 'copy';
    case 'copy':
      await copySessions(context);
      return 'verify';
    case 'verify':
      await verifyUntilEqual(context);
      return 'shadow';
    case 'shadow':
      await shadowReads(context, options.shadowMs);
      await context.journal.reach('shadow.done');
      return 'switch';
    case 'switch':
      await switchSlots(context, options.instance, state);
      return state.goal === 'target' && state.goalPercent === 100 ? 'settle' : 'switch';
    case 'settle':
      await settle(context);
      return 'settled';
    case 'settled':
      return 'settled';
  }
}

/** Verifies until a whole pass has found nothing: then the moment at which that pass began is written down. */
export async function verifyUntilEqual(context: MigrationContext): Promise<void> {
  for (;;) {
    const verification = await context.pace.unit(0, () => context.journal.beginVerification());
    const since = verification.startedAt;
    await context.pace.unit(0, () => workOff(context));
    const counts = await verifySessions(context, verification);
    // Mended by their application, ended or expired: what a whole pass has not met is no dead letter any more.
    await context.pace.unit(0, () => forgetDeadLettersBefore(context.control, since));
    // Those that it met before it was interrupted are among them.
    const differences = await context.pace.unit(0, () => countDifferences(context.control, verification));
    const found = Object.values(differences).reduce((sum, count) => sum + count, 0);
    const expired = counts.differences.expired_in_flight ?? 0;
    const words = Object.entries(counts.details).map(([name, count]) => `${count} ${name}`);
    context.progress.note(`compared ${counts.compared.toLocaleString('en-US')}: ${words.join(', ') || 'both sides are equal'}`);
    await context.journal.reach('verify.done', { compared: counts.compared, found, expired, ...differences });
    await context.pace.unit(0, async () => {
      const equal = found === 0;
      if (equal) await settleLapsed(context, since);
      if (equal) await sourceCompared(context.control, since);
      await context.journal.endVerification(verification, { compared: counts.compared, differences, equal });
    });
    if (found === 0) return;
  }
}

async function waitForWriters(context: MigrationContext, writers: StepOptions['writers']): Promise<void> {
  if (writers === 'captured') return waitForCapture(context);
  let told = false;
  while (writers === 'instrumented' && !(await context.pace.unit(0, () => hasLiveWriter(context)))) {
    if (!told) context.progress.note('waiting for an application whose session store is wrapped');
    told = true;
    await pause(LOOK_EVERY_MS, context.pace.signal);
  }
}

/** What is written past us from then on is told; what was written before the copy reads. */
async function waitForCapture(context: MigrationContext): Promise<void> {
  let told = false;
  while ((await context.pace.unit(0, () => readCapture(context.control)))?.state !== 'live') {
    if (!told) context.progress.note('waiting for the capture of writes that do not pass through us');
    told = true;
    await pause(LOOK_EVERY_MS, context.pace.signal);
  }
}

async function hasLiveWriter(context: MigrationContext): Promise<boolean> {
  const { rows } = await context.control.query(
    `SELECT FROM instance WHERE role = 'writer' AND state = 'live' AND lease_until > wherry_now() LIMIT 1`,
  );
  return rows.length > 0;
}

/** Waits until nothing is left to repair or to end anywhere, then compares everything once more. */
async function settle(context: MigrationContext): Promise<void> {
  for (let look = 1; (await context.pace.unit(0, () => workOff(context))).left > 0; look++) {
    // The end of a session that the target never held is drained only when a comparison has looked for it in the source.
    if (look % LOOKS === 0) await verifyUntilEqual(context);
    else await pause(LOOK_EVERY_MS, context.pace.signal);
  }
  await context.journal.reach('settle.drained');
  await verifyUntilEqual(context);
  await context.journal.reach('settle.done');
}
