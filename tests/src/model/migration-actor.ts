import { ProgressMeter, copySessions, silentProgress, type MigrationContext } from '@wherry/migration';
import { VerificationNeeded, switchUntilDone, verifyUntilEqual, workOff } from '@wherry/migration/testing';
import type { SessionRuntime } from '@wherry/sessions';
import type { Phase } from './plan.ts';

/** A migration that is driven phase by phase, over some slots. */
export interface MigrationActor {
  readonly context: MigrationContext;
  readonly runtime: SessionRuntime;
  readonly slots: readonly number[];
}

/** Runs the phases as the migrator would. */
export async function runPhases(actor: MigrationActor, phases: readonly Phase[]): Promise<void> {
  for (const phase of phases) {
    switch (phase) {
      case 'copy':
        await copySessions(actor.context);
        break;
      case 'verify':
        await verifyUntilEqual(actor.context);
        break;
      case 'repair':
        await workOff(actor.context);
        break;
      case 'forward':
        await changeSides(actor, 'target');
        break;
      case 'back':
        await changeSides(actor, 'source');
        break;
    }
  }
}

/** Brings all slots of the actor to `side`, through every gate. */
export async function changeSides({ context, runtime, slots }: MigrationActor, side: 'source' | 'target'): Promise<void> {
  const meter = new ProgressMeter(silentProgress, 'switch', slots.length);
  for (;;) {
    await context.slots.refresh();
    const wrong = slots.filter((slot) => context.slots.entry(slot).side !== side);
    if (wrong.length === 0) return;
    try {
      await switchUntilDone(context, runtime.instance, wrong, side, meter, true);
    } catch (error) {
      if (!(error instanceof VerificationNeeded)) throw error;
      await verifyUntilEqual(context);
    }
  }
}
