import { WherryError, asWherryError, isWherryError, pause, type Component } from '@wherry/core';
import type { MigrationContext } from './context.ts';
import { copyPart } from './copy/copy.ts';
import { completeAbort } from './journal/abort.ts';
import { isVerificationWanted, type MigrationState } from './journal/state.ts';
import type { PassName } from './journal/work-parts.ts';
import { GoalChanged, isOutage } from './pace.ts';
import { workOff } from './repair/work-off.ts';
import { runStep, verifyUntilEqual, type StepOptions } from './steps.ts';
import { recoverSlots } from './switch/recover.ts';
import { switchSlots } from './switch/switch.ts';
import { VerificationNeeded } from './switch/verification-needed.ts';
import { verifyPart } from './verify/verify-part.ts';
import { helpWith, type PartWork } from './work-through.ts';

/** Why the sides are compared where nothing but an operator's wish asks for it. */
const ASKED_FOR = 'an operator asked for a verification';

const PASSES: Readonly<Record<PassName, PartWork>> = { copy: copyPart, verify: verifyPart };

const LOOK_EVERY_MS = 300;
const REPAIR_EVERY_MS = 500;
const FAULT_EVERY_MS = 2000;

/** Options of {@link Migrator}. */
export interface MigratorOptions extends StepOptions {
  readonly context: MigrationContext;
  /** Runs beside the steps, from the start on. */
  readonly capture?: Component;
}

/**
 * Drives the migration: takes the lead, mends what a crash left, and runs step after step towards the goal, for as long
 * as the signal of its pace lets it. While another process leads, it works on the parts of that one's copy or comparison. Beside the steps it works off repairs all the time. The operator steers by the
 * migration's row; every step starts from what is durable, so it may be killed at any moment and started again.
 */
export class Migrator implements Component {
  readonly name = 'migrator';
  readonly #options: MigratorOptions;
  #fault: WherryError | undefined;
  #driving: Promise<void> | undefined;
  #repairing: Promise<void> | undefined;

  constructor(options: MigratorOptions) {
    this.#options = options;
  }

  async run(): Promise<void> {
    await this.#options.capture?.run?.();
    this.#driving = this.#drive();
    this.#repairing = this.#repair();
  }

  /** What keeps the step from going on although every store answers; undefined while all is well. It is tried again all the same. */
  get fault(): WherryError | undefined {
    return this.#fault;
  }

  /** Resolves when the migration rests at its goal. The pace's signal ends the waiting with its reason. */
  async atGoal(): Promise<void> {
    await this.#untilResting();
  }

  async stop(): Promise<void> {
    await Promise.allSettled([this.#driving, this.#repairing, this.#options.capture?.stop?.()]);
    await this.#options.context.journal.yieldLead().catch(() => undefined);
  }

  async #drive(): Promise<void> {
    const { context } = this.#options;
    const { pace, journal, progress } = context;
    let leads = false;
    let told = false;
    while (!pace.signal.aborted) {
      try {
        if (!leads) {
          leads = await journal.lead();
          if (leads) await recoverSlots(context);
          else if (!(await this.#help())) await pause(LOOK_EVERY_MS, pace.signal);
          continue;
        }
        const state = await journal.read();
        told = false;
        if (await this.#resting(state)) {
          await pause(LOOK_EVERY_MS, pace.signal);
          continue;
        }
        await this.#step(state);
      } catch (error) {
        if (pace.signal.aborted) return;
        if (error instanceof GoalChanged || isWherryError(error, 'conflict')) continue;
        if (isWherryError(error, 'lease_lost')) leads = false;
        // `source_cursor_lost`: it was restarted or failed over; the step begins anew, with the partitions as they are now.
        const passing = isOutage(error) || isWherryError(error, 'lease_lost') || isWherryError(error, 'source_cursor_lost');
        if (passing) {
          if (!told) progress.note('waiting: a store does not answer');
          told = true;
          await pause(LOOK_EVERY_MS, pace.signal);
        } else await this.#keepFault(error);
      }
    }
  }

  /** What repeating at once does not help is told, and tried again later: a person may mend it meanwhile. */
  async #keepFault(error: unknown): Promise<void> {
    const { pace, progress, log } = this.#options.context;
    const fault = asWherryError(error);
    if (this.#fault?.message !== fault.message) {
      log.error('the migration cannot go on', { error });
      progress.note(`cannot go on: ${fault.message}`);
    }
    this.#fault = fault;
    await pause(FAULT_EVERY_MS, pace.signal);
  }

  /** Works on parts that the process which leads has announced; false: there are none. */
  async #help(): Promise<boolean> {
    const { context } = this.#options;
    const state = await context.journal.read();
    context.pace.begin(state);
    // A comparison may be asked for at any step, so its parts say that it is under way.
    for (const [pass, work] of Object.entries(PASSES)) {
      if (await helpWith(context, pass as PassName, work)) return true;
    }
    return false;
  }

  async #step(state: MigrationState): Promise<void> {
    const { context } = this.#options;
    context.pace.begin(state);
    if (state.aborting) return this.#abort(state);
    try {
      if (isVerificationWanted(state) && (state.step === 'switch' || state.step === 'settled')) throw new VerificationNeeded(ASKED_FOR);
      const next = await runStep(context, state, this.#options);
      this.#fault = undefined;
      if (next !== state.step) await context.journal.advance(state.step, next);
    } catch (error) {
      if (!(error instanceof VerificationNeeded)) throw error;
      context.progress.note(`${error.message}: comparing the two sides`);
      await verifyUntilEqual(context);
    }
  }

  /** Brings every slot back to the source, as a rollback does, and then forgets all progress. */
  async #abort(state: MigrationState): Promise<void> {
    const { context, instance } = this.#options;
    // A process that registered anew meanwhile leads under its new id, or not at all.
    if (!(await context.journal.lead())) throw new WherryError('lease_lost', 'another process drives the migration now');
    if (await completeAbort(context.control, instance.id)) {
      const counts = await context.target.counts();
      const rows = counts.map(({ shard, live }) => `${live} on ${shard}`).join(', ');
      context.progress.note(`aborted: every slot is at the source; sessions left at the target, which nobody reads: ${rows}`);
      return;
    }
    try {
      await switchSlots(context, instance, { ...state, goal: 'source', goalPercent: 100 });
    } catch (error) {
      if (!(error instanceof VerificationNeeded)) throw error;
      context.progress.note(`${error.message}: comparing the two sides`);
      await verifyUntilEqual(context);
    }
  }

  async #untilResting(): Promise<void> {
    const { pace, journal } = this.#options.context;
    for (;;) {
      pace.signal.throwIfAborted();
      try {
        if (await this.#resting(await journal.read())) return;
      } catch (error) {
        if (!isOutage(error)) throw error;
      }
      await pause(LOOK_EVERY_MS, pace.signal);
    }
  }

  /** At rest: settled, or switched as far as the goal says. */
  async #resting(state: MigrationState): Promise<boolean> {
    if (state.aborting) return false;
    if (state.abortedAt !== null) return true;
    if (isVerificationWanted(state)) return false;
    if (state.step === 'settled') return true;
    if (state.step !== 'switch' || (state.goal === 'target' && state.goalPercent === 100)) return false;
    const { rows } = await this.#options.context.control.query<{ details: { goal?: string; percent?: number } }>(
      `SELECT details FROM migration_journal WHERE point = 'switch.done' ORDER BY id DESC LIMIT 1`,
    );
    const last = rows[0];
    return last !== undefined && last.details.goal === state.goal && last.details.percent === state.goalPercent;
  }

  /** Works off repairs while the steps run, so that the gates find little to wait for. */
  async #repair(): Promise<void> {
    const { context } = this.#options;
    while (!context.pace.signal.aborted) {
      try {
        await workOff(context);
      } catch (error) {
        if (!isOutage(error)) context.log.error('repairs failed', { error });
      }
      await pause(REPAIR_EVERY_MS, context.pace.signal);
    }
  }
}
