import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ROLLOUT_PHASES, transition, type RolloutCommand, type RolloutPhase } from './phase.ts';

const percent = fc.nat(10_000).map((hundredths) => hundredths / 100);
const phase: fc.Arbitrary<RolloutPhase> = fc.oneof(
  fc.constantFrom<RolloutPhase[]>(
    { phase: 'stateful' },
    { phase: 'dual' },
    { phase: 'preferred' },
    { phase: 'drain' },
    { phase: 'retired' },
  ),
  percent.map((value) => ({ phase: 'led', percent: value }) as const),
);
const command: fc.Arbitrary<RolloutCommand> = fc.oneof(
  fc.constant({ command: 'rollback' } as const),
  fc.option(percent).map((value) => (value === null ? { command: 'advance' as const } : { command: 'advance' as const, percent: value })),
  fc.oneof(percent, fc.double()).map((value) => ({ command: 'set-percent' as const, percent: value })),
);

describe('transition', () => {
  it.each<[RolloutPhase, RolloutCommand, RolloutPhase]>([
    [{ phase: 'stateful' }, { command: 'advance' }, { phase: 'dual' }],
    [{ phase: 'dual' }, { command: 'advance' }, { phase: 'led', percent: 1 }],
    [{ phase: 'dual' }, { command: 'advance', percent: 12.5 }, { phase: 'led', percent: 12.5 }],
    [{ phase: 'dual' }, { command: 'advance', percent: 0 }, { phase: 'led', percent: 0 }],
    [
      { phase: 'led', percent: 1 },
      { command: 'set-percent', percent: 100 },
      { phase: 'led', percent: 100 },
    ],
    [
      { phase: 'led', percent: 50 },
      { command: 'set-percent', percent: 0.29 },
      { phase: 'led', percent: 0.29 },
    ],
    [{ phase: 'led', percent: 100 }, { command: 'rollback' }, { phase: 'dual' }],
    [{ phase: 'dual' }, { command: 'rollback' }, { phase: 'stateful' }],
    [{ phase: 'led', percent: 100 }, { command: 'advance' }, { phase: 'preferred' }],
    [{ phase: 'preferred' }, { command: 'advance' }, { phase: 'drain' }],
    [{ phase: 'preferred' }, { command: 'rollback' }, { phase: 'led', percent: 100 }],
    [{ phase: 'drain' }, { command: 'advance' }, { phase: 'retired' }],
    [{ phase: 'drain' }, { command: 'rollback' }, { phase: 'preferred' }],
  ])('goes from %j by %j to %j', (from, by, to) => {
    expect(transition(from, by)).toEqual({ ok: true, next: to });
  });

  it.each<[RolloutPhase, RolloutCommand, string]>([
    [{ phase: 'stateful' }, { command: 'rollback' }, 'no_phase_before'],
    [{ phase: 'led', percent: 99.99 }, { command: 'advance' }, 'not_all_led'],
    [{ phase: 'retired' }, { command: 'advance' }, 'no_phase_after'],
    [{ phase: 'retired' }, { command: 'rollback' }, 'retired_is_final'],
    [{ phase: 'led', percent: 100 }, { command: 'advance', percent: 5 }, 'percent_out_of_place'],
    [{ phase: 'preferred' }, { command: 'set-percent', percent: 5 }, 'not_led'],
    [{ phase: 'stateful' }, { command: 'advance', percent: 5 }, 'percent_out_of_place'],
    [{ phase: 'stateful' }, { command: 'set-percent', percent: 5 }, 'not_led'],
    [{ phase: 'dual' }, { command: 'set-percent', percent: 5 }, 'not_led'],
    [{ phase: 'led', percent: 5 }, { command: 'set-percent', percent: 5 }, 'percent_unchanged'],
    [{ phase: 'dual' }, { command: 'advance', percent: 100.01 }, 'percent_invalid'],
    [{ phase: 'dual' }, { command: 'advance', percent: -1 }, 'percent_invalid'],
    [{ phase: 'dual' }, { command: 'advance', percent: 0.001 }, 'percent_invalid'],
    [{ phase: 'led', percent: 5 }, { command: 'set-percent', percent: Number.NaN }, 'percent_invalid'],
    [{ phase: 'led', percent: 5 }, { command: 'set-percent', percent: Infinity }, 'percent_invalid'],
  ])('refuses from %j by %j: %s', (from, by, refusal) => {
    expect(transition(from, by)).toMatchObject({ ok: false, refusal });
  });

  it('goes to the neighbour only, and every step forward can be taken back', () => {
    fc.assert(
      fc.property(phase, command, (from, by) => {
        const outcome = transition(from, by);
        if (!outcome.ok) return;
        const step = ROLLOUT_PHASES.indexOf(outcome.next.phase) - ROLLOUT_PHASES.indexOf(from.phase);
        expect(step).toBe({ advance: 1, rollback: -1, 'set-percent': 0 }[by.command]);
        if (by.command === 'advance' && outcome.next.phase !== 'retired')
          expect(transition(outcome.next, { command: 'rollback' })).toEqual({ ok: true, next: from });
        if (outcome.next.phase === 'led') expect(Math.round(outcome.next.percent * 100)).toBeLessThanOrEqual(10_000);
      }),
    );
  });
});
