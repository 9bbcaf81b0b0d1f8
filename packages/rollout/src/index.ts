export { bucketOf, inCohort } from './cohort.ts';
export { advance, moveRollout, rollback, rolloutHistory, setPercent, type RolloutHistoryEntry, type RolloutMove } from './commands.ts';
export {
  ROLLOUT_PHASES,
  transition,
  type RolloutCommand,
  type RolloutPhase,
  type RolloutRefusal,
  type RolloutTransition,
} from './phase.ts';
export { policyFor, type RolloutPolicy } from './policy.ts';
export { RolloutState, type RolloutStateOptions } from './rollout-state.ts';
export { ROLLOUT_TOPIC, readRollout, rolloutSchema, type Rollout } from './rollout.ts';
