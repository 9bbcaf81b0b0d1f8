/** How far the change from session tokens to access tokens has come. */
export type RolloutPhase =
  /** Session tokens alone are given out. */
  | { readonly phase: 'stateful' }
  /** Both are given out, and clients use which they like. */
  | { readonly phase: 'dual' }
  /** As `dual`, and clients of the cohort are led to access tokens. `percent`: 0 … 100 in steps of 0.01. */
  | { readonly phase: 'led'; readonly percent: number };

/** The phases in their order; moves go to the neighbour only. */
export const ROLLOUT_PHASES = ['stateful', 'dual', 'led'] as const;

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
  | 'not_led'
  | 'percent_out_of_place'
  | 'percent_unchanged'
  | 'percent_invalid';

/** What becomes of a command. */
export type RolloutTransition =
  | { readonly ok: true; readonly next: RolloutPhase }
  | { readonly ok: false; readonly refusal: RolloutRefusal; readonly message: string };

/** Share of the users led when nothing else is said, in percent. */
const FIRST_PERCENT = 1;

/** Where `command` leads from `state`: to the neighbour, or nowhere. Pure. */
export function transition(state: RolloutPhase, command: RolloutCommand): RolloutTransition {
  switch (command.command) {
    case 'advance':
      return advanced(state, command.percent);
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
      // An operator who names a percentage here takes the next phase for another one.
      if (percent !== undefined) return refused('percent_out_of_place', 'the next phase is dual, which has no percentage');
      return { ok: true, next: { phase: 'dual' } };
    case 'dual':
      return led(percent ?? FIRST_PERCENT);
    case 'led':
      return refused('no_phase_after', 'there is no phase after led; set another percentage');
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
  }
}

function led(percent: number): RolloutTransition {
  return isPercent(percent)
    ? { ok: true, next: { phase: 'led', percent } }
    : refused('percent_invalid', `the percentage is ${percent}; allowed is 0 to 100 in steps of 0.01`);
}

/** True for 0 … 100 in steps of 0.01: the cohort is counted in ten-thousandths. */
function isPercent(percent: number): boolean {
  return percent >= 0 && percent <= 100 && Math.round(percent * 100) / 100 === percent;
}

function refused(refusal: RolloutRefusal, message: string): RolloutTransition {
  return { ok: false, refusal, message };
}
