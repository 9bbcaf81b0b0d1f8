/** How far the change from session tokens to access tokens has come. */
export type RolloutPhase =
  /** Session tokens alone are given out. */
  | { readonly phase: 'stateful' }
  /** Both are given out, and clients use which they like. */
  | { readonly phase: 'dual' }
  /** As `dual`, and clients of the cohort are led to access tokens. `percent`: 0 … 100 in steps of 0.01. */
  | { readonly phase: 'led'; readonly percent: number }
  /** All are led but the hold-out; no list spares anybody any more. */
  | { readonly phase: 'preferred' }
  /** No session token is given out; clients that have shown to do without lose theirs. */
  | { readonly phase: 'drain' }
  /** Access tokens alone. The one phase without a way back. */
  | { readonly phase: 'retired' };

/** The phases in their order; moves go to the neighbour only. */
export const ROLLOUT_PHASES = ['stateful', 'dual', 'led', 'preferred', 'drain', 'retired'] as const;

/** What an operator can ask for. */
export type RolloutCommand =
  /** To the next phase; `percent` belongs to the move into `led` alone, default 1. */
  | { readonly command: 'advance'; readonly percent?: number }
  /** To the phase before. */
  | { readonly command: 'rollback' }
  /** Another share within `led`, upward or downward. */
  | { readonly command: 'set-percent'; readonly percent: number };

/** Why a move is refused. */
export type RolloutRefusal =
  | 'no_phase_after'
  | 'no_phase_before'
  | 'not_all_led'
  | 'not_led'
  | 'percent_out_of_place'
  | 'percent_unchanged'
  | 'percent_invalid'
  | 'retired_is_final';

/** What becomes of a command. */
export type RolloutTransition =
  | { readonly ok: true; readonly next: RolloutPhase }
  | { readonly ok: false; readonly refusal: RolloutRefusal; readonly message: string };

/** Share of the users led when nothing else is said, in percent. */
const FIRST_PERCENT = 1;
const ALL_PERCENT = 100;

/** Where `command` leads from `state`: to the neighbour, or nowhere. Pure. */
export function transition(state: RolloutPhase, command: RolloutCommand): RolloutTransition {
  switch (command.command) {
    case 'advance':
      // An operator who names a percentage elsewhere takes the next phase for another one.
      return command.percent === undefined || state.phase === 'dual'
        ? advanced(state, command.percent)
        : refused('percent_out_of_place', `the next phase is ${phaseAfter(state)}, which has no percentage`);
    case 'rollback':
      return rolledBack(state);
    case 'set-percent':
      if (state.phase !== 'led') return refused('not_led', `a percentage can be set in the phase led only; the phase is ${state.phase}`);
      if (command.percent === state.percent) return refused('percent_unchanged', `the percentage is ${state.percent} already`);
      return led(command.percent);
  }
}

function advanced(state: RolloutPhase, percent: number | undefined): RolloutTransition {
  switch (state.phase) {
    case 'stateful':
      return { ok: true, next: { phase: 'dual' } };
    case 'dual':
      return led(percent ?? FIRST_PERCENT);
    case 'led':
      // Otherwise the step would lead everybody else at once, and no cohort would have shown how that goes.
      if (state.percent < ALL_PERCENT) return refused('not_all_led', `${state.percent} % are led; set the percentage to 100 first`);
      return { ok: true, next: { phase: 'preferred' } };
    case 'preferred':
      return { ok: true, next: { phase: 'drain' } };
    case 'drain':
      return { ok: true, next: { phase: 'retired' } };
    case 'retired':
      return refused('no_phase_after', 'there is no phase after retired');
  }
}

function rolledBack(state: RolloutPhase): RolloutTransition {
  switch (state.phase) {
    case 'stateful':
      return refused('no_phase_before', 'there is no phase before stateful');
    case 'dual':
      return { ok: true, next: { phase: 'stateful' } };
    case 'led':
      return { ok: true, next: { phase: 'dual' } };
    case 'preferred':
      return { ok: true, next: { phase: 'led', percent: ALL_PERCENT } };
    case 'drain':
      return { ok: true, next: { phase: 'preferred' } };
    case 'retired':
      return refused('retired_is_final', 'retired is final: the logic of session tokens may be gone');
  }
}

function phaseAfter({ phase }: RolloutPhase): string {
  return ROLLOUT_PHASES[ROLLOUT_PHASES.indexOf(phase) + 1] ?? 'none';
}

function led(percent: number): RolloutTransition {
  return isPercent(percent)
    ? { ok: true, next: { phase: 'led', percent } }
    : refused('percent_invalid', `the percentage is ${percent}; allowed is 0 to 100 in steps of 0.01`);
}

/** True for 0 … 100 in steps of 0.01: the cohort is counted in ten-thousandths. */
export function isPercent(percent: number): boolean {
  return percent >= 0 && percent <= 100 && Math.round(percent * 100) / 100 === percent;
}

function refused(refusal: RolloutRefusal, message: string): RolloutTransition {
  return { ok: false, refusal, message };
}
