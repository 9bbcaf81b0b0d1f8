import fc from 'fast-check';
import { isWherryError } from '@wherry/core';
import { coreSchema, type Database } from '@wherry/core/control';
import { createControlDatabase, type ControlDatabase } from '@wherry/core/testing';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { moveRollout } from './commands.ts';
import { rolloutHistory } from './history.ts';
import { pauseRollout, resumeRollout } from './pause.ts';
import type { RolloutCommand } from './phase.ts';
import type { RetireProof } from './retire.ts';
import { readRollout, rolloutSchema, type Rollout } from './rollout.ts';
import { settleRollout } from './settle.ts';

let home: ControlDatabase;
let database: Database;
beforeAll(async () => {
  home = await createControlDatabase(inject('postgresUrl'), [coreSchema, rolloutSchema]);
  ({ database } = home);
});
afterAll(() => home[Symbol.asyncDispose]());

/** What should be, by rules written down a second time and in other words. */
interface Model {
  place: number;
  percent: number;
  half: boolean;
  back: boolean;
  held: boolean;
  /** A live instance has not acknowledged the present state. */
  behind: boolean;
  version: number;
  changes: number;
}
const PLACES = ['stateful', 'dual', 'led', 'preferred', 'drain', 'retired'] as const;
/** The phases that the walks came to. */
const reached = new Set<string>();
type Real = Record<string, never>;
/** Nothing: it is done. Otherwise the code of the refusal. */
type Expected = string | undefined;

function change(model: Model): void {
  model.version++;
  model.changes++;
}

abstract class Step implements fc.AsyncCommand<Model, Real> {
  check(): boolean {
    return true;
  }
  /** Changes the model, or says by which code the act is refused. */
  abstract expect(model: Model): Expected;
  abstract act(version: number): Promise<Rollout | void>;
  abstract toString(): string;

  async run(model: Model): Promise<void> {
    const { version } = model;
    const expected = this.expect(model);
    const found = await this.act(version).then(
      () => undefined,
      (error: unknown) => (isWherryError(error) ? error.code : String(error)),
    );
    expect({ step: this.toString(), found }).toEqual({ step: this.toString(), found: expected });
    const { paused, ...rollout } = await readRollout(database);
    expect({ ...rollout, percent: rollout.phase === 'led' ? rollout.percent : 0 }).toMatchObject({
      phase: PLACES[model.place],
      percent: model.place === 2 ? model.percent : 0,
      settled: !model.half,
      retreating: model.back,
      version: model.version,
    });
    reached.add(rollout.phase);
    expect(paused !== null).toBe(model.held);
    expect(await rolloutHistory(database, 1000)).toHaveLength(model.changes);
  }
}

class Move extends Step {
  readonly command: RolloutCommand;
  readonly proof: RetireProof | undefined;
  constructor(command: RolloutCommand, proof?: RetireProof) {
    super();
    this.command = command;
    this.proof = proof;
  }
  act = (expectedVersion: number): Promise<Rollout> => moveRollout(database, this.command, { expectedVersion, actor: 'model' }, this.proof);
  toString = (): string => JSON.stringify(this.command);

  expect(model: Model): Expected {
    const { command } = this.command;
    const percent = 'percent' in this.command ? this.command.percent : undefined;
    if (command === 'set-percent') {
      if (model.place !== 2 || percent === model.percent) return 'rollout_move_invalid';
      if (model.held && (percent ?? 0) > model.percent) return 'rollout_paused';
      return this.#go(model, 2, percent, model.back);
    }
    if (command === 'rollback') {
      if (model.place === 0 || model.place === 5) return 'rollout_move_invalid';
      if (model.place === 1 && model.behind) return 'rollout_unacknowledged';
      return this.#go(model, model.place - 1, 100, true);
    }
    if (model.place === 5 || (percent !== undefined && model.place !== 1)) return 'rollout_move_invalid';
    if (model.place === 2 && model.percent < 100) return 'rollout_move_invalid';
    if (model.held) return 'rollout_paused';
    if (model.place >= 3 && model.behind) return 'rollout_unacknowledged';
    if (model.place === 4 && (model.half || this.proof === undefined)) return 'retire_unproved';
    return this.#go(model, model.place + 1, percent ?? 1, false);
  }

  #go(model: Model, place: number, percent: number | undefined, back: boolean): Expected {
    change(model);
    Object.assign(model, { place, back, half: place === 0 || place === 4 });
    if (place === 2) model.percent = percent ?? 1;
    // Whoever was behind is so all the more; the one instance of the model never keeps up by itself.
    return undefined;
  }
}

class Settle extends Step {
  readonly alive: boolean;
  constructor(alive: boolean) {
    super();
    this.alive = alive;
  }
  act = (expectedVersion: number): Promise<Rollout> =>
    settleRollout(database, { expectedVersion, actor: 'model' }, () => Promise.resolve(this.alive));
  toString = (): string => `settle(${this.alive})`;
  expect(model: Model): Expected {
    if (!model.half) return 'rollout_move_invalid';
    if (model.place === 4 && model.held) return 'rollout_paused';
    if (model.behind) return 'rollout_unacknowledged';
    if (model.place === 0 && this.alive) return 'rollout_families_alive';
    change(model);
    Object.assign(model, { half: false, back: false });
    return undefined;
  }
}

class Hold extends Step {
  readonly on: boolean;
  constructor(on: boolean) {
    super();
    this.on = on;
  }
  act = (expectedVersion: number): Promise<Rollout> =>
    (this.on ? pauseRollout : resumeRollout)(database, { expectedVersion, actor: 'model' });
  toString = (): string => (this.on ? 'pause' : 'resume');
  expect(model: Model): Expected {
    if (model.held === this.on) return this.on ? 'rollout_paused' : 'rollout_move_invalid';
    change(model);
    model.held = this.on;
    return undefined;
  }
}

/** Somebody acts on what he saw a while ago. */
class Late extends Step {
  act = (version: number): Promise<Rollout> =>
    moveRollout(database, { command: 'rollback' }, { expectedVersion: version - 1, actor: 'late' });
  toString = (): string => 'late';
  expect = (): Expected => 'conflict';
}

/** An instance that never acknowledges appears, or its lease ends. */
class Instance extends Step {
  readonly lives: boolean;
  constructor(lives: boolean) {
    super();
    this.lives = lives;
  }
  act = async (): Promise<void> => {
    await database.query(
      `INSERT INTO instance (id, role, started_at, lease_until, acked) VALUES ('one', 'auth', 0, $1, '{"rollout": -1}')
       ON CONFLICT (id) DO UPDATE SET lease_until = excluded.lease_until`,
      [this.lives ? 9_000_000_000_000 : 0],
    );
  };
  toString = (): string => `instance(${this.lives})`;
  expect(model: Model): Expected {
    model.behind = this.lives;
    return undefined;
  }
}

/** A proof of which nothing is wanting. */
const PROOF: RetireProof = {
  absoluteMs: 0,
  evidence: () => Promise.resolve({ lastSessionUse: null, observedSince: 0, observedUntil: Infinity, silent: [] }),
};
const share = fc.constantFrom(0, 0.29, 50, 100);
const steps = [
  // Forward and settling more often than the rest, or no walk would come far.
  ...Array.from({ length: 4 }, () => fc.constant(new Move({ command: 'advance' }))),
  fc.constant(new Move({ command: 'advance' }, PROOF)),
  share.map((percent) => new Move({ command: 'advance', percent })),
  fc.constant(new Move({ command: 'set-percent', percent: 100 })),
  share.map((percent) => new Move({ command: 'set-percent', percent })),
  fc.constant(new Move({ command: 'rollback' })),
  fc.boolean().map((alive) => new Settle(alive)),
  fc.boolean().map((on) => new Hold(on)),
  fc.constant(new Hold(false)),
  fc.constant(new Late()),
  fc.boolean().map((lives) => new Instance(lives)),
  fc.constant(new Instance(false)),
];

describe('the rollout', () => {
  it('does what a model of it does, whatever is asked for in whatever order', async () => {
    await fc.assert(
      fc.asyncProperty(fc.commands(steps, { maxCommands: 40, size: 'max' }), async (commands) => {
        await database.query('TRUNCATE audit, instance');
        await database.query(
          `UPDATE rollout SET version = 1, course = 1, phase = 'stateful', percent = NULL, settled = true, retreating = false, paused = NULL`,
        );
        const setup = (): { model: Model; real: Real } => ({
          model: { place: 0, percent: 0, half: false, back: false, held: false, behind: false, version: 1, changes: 0 },
          real: {},
        });
        await fc.asyncModelRun(setup, commands);
      }),
      { numRuns: 150 },
    );
    expect([...reached]).toEqual(expect.arrayContaining(['stateful', 'dual', 'led', 'preferred', 'drain']));
  });
});
