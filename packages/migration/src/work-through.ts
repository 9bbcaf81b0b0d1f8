import { isWherryError, pause } from '@wherry/core';
import type { MigrationContext } from './context.ts';
import type { Claim, PartView, PassName } from './journal/work-parts.ts';
import { isOutage } from './pace.ts';
import { ProgressMeter } from './progress.ts';

/**
 * Works on one part, whose claim it is given, from its checkpoint to its end; `tell` is called when a page is done. What it
 * answers, if anything, is what is left to do once all is read: the part is held until that has ended as well.
 */
export type PartWork = (context: MigrationContext, claim: Claim, tell: () => Promise<void>) => Promise<(() => Promise<void>) | undefined>;

/** What {@link workThrough} works on. */
export interface SharedPass {
  readonly pass: PassName;
  /** Writes down which parts there are. */
  readonly announce: () => Promise<void>;
  readonly work: PartWork;
}

/** How long a process whose stores were away leaves every part to others. */
const REST_MS = 2000;
const LOOK_EVERY_MS = 300;
const ANNOUNCE_EVERY_MS = 3000;
const TELL_EVERY_MS = 500;

/**
 * Works on the parts of a pass beside all other workers until every one is done, whoever did it; answers them as they are
 * then. Only whoever leads. The parts are announced again and again, because the source may change its shape meanwhile.
 */
export async function workThrough(context: MigrationContext, { pass, announce, work }: SharedPass): Promise<PartView[]> {
  const { pace, journal } = context;
  const teller = new Teller(context, pass);
  let announcedAt = Number.NEGATIVE_INFINITY;
  for (;;) {
    if (performance.now() - announcedAt >= ANNOUNCE_EVERY_MS) {
      await pace.unit(0, announce);
      announcedAt = performance.now();
    }
    try {
      await workOnParts(context, pass, work, () => teller.tell());
    } catch (error) {
      // A part may be lost and the lead not; whether that is so, the next announcement finds out.
      if (!isWherryError(error, 'lease_lost') && !isWherryError(error, 'source_cursor_lost')) throw error;
      announcedAt = Number.NEGATIVE_INFINITY;
      await pause(LOOK_EVERY_MS, pace.signal);
    }
    const parts = await pace.unit(0, () => journal.parts.view(pass));
    teller.show(parts);
    if (parts.every(({ done }) => done)) return parts;
    await pause(LOOK_EVERY_MS, pace.signal);
  }
}

/** Works on parts of a pass that another process has announced, as long as one is to be had; false: none was. */
export async function helpWith(context: MigrationContext, pass: PassName, work: PartWork): Promise<boolean> {
  const teller = new Teller(context, pass);
  return workOnParts(context, pass, work, () => teller.tell());
}

async function workOnParts(context: MigrationContext, pass: PassName, work: PartWork, tell: () => Promise<void>): Promise<boolean> {
  const { pace, journal } = context;
  // Parts that are read to their end, and of which something is to be looked at again after its grace.
  const settling = new Map<string, Promise<void>>();
  let worked = false;
  try {
    for (;;) {
      const claim = await pace.unit(0, () => journal.parts.claim(pass, [...settling.keys()]));
      if (claim === undefined) break;
      worked = true;
      const settled = await holding(context, claim, () => work(context, claim, tell));
      if (settled === undefined) continue;
      const end = holding(context, claim, settled);
      end.then(() => settling.delete(claim.part)).catch(() => undefined);
      settling.set(claim.part, end);
    }
    await Promise.all(settling.values());
    return worked;
  } finally {
    await Promise.allSettled(settling.values());
  }
}

/** Runs `work` on a part; where it fails, the part is given back for others to go on with. */
async function holding<T>(context: MigrationContext, claim: Claim, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    await context.journal.parts.release(claim).catch(() => undefined);
    if (isOutage(error)) {
      context.progress.note(`part ${claim.part} is left to others: a store does not answer here`);
      await pause(REST_MS, context.pace.signal);
    }
    throw error;
  }
}

/** Tells of the progress of all workers together, by what their checkpoints say. */
class Teller {
  readonly #context: MigrationContext;
  readonly #pass: PassName;
  #meter: ProgressMeter | undefined;
  #toldAt = Number.NEGATIVE_INFINITY;

  constructor(context: MigrationContext, pass: PassName) {
    this.#context = context;
    this.#pass = pass;
  }

  /** At most twice a second; it is no reason to fail. */
  async tell(): Promise<void> {
    if (performance.now() - this.#toldAt < TELL_EVERY_MS) return;
    this.#toldAt = performance.now();
    try {
      this.show(await this.#context.journal.parts.view(this.#pass));
    } catch (error) {
      if (!isOutage(error)) throw error;
    }
  }

  show(parts: readonly PartView[]): void {
    const sum = (name: string): number => parts.reduce((all, { counts }) => all + (counts[name] ?? 0), 0);
    const workers = new Set(parts.flatMap(({ worker }) => worker ?? [])).size;
    const figures: Record<string, number> =
      this.#pass === 'copy' ? { copied: sum('copied'), 'dead letters': sum('deadLetters') } : { repaired: sum('repaired') };
    if (workers > 1) figures['workers'] = workers;
    const done = sum('scanned');
    this.#meter ??= new ProgressMeter(
      this.#context.progress,
      this.#pass,
      parts.reduce((all, { expected }) => all + expected, 0),
      done,
    );
    this.#meter.reach(done, figures);
  }
}
