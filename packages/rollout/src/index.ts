export { rolloutFollowers, type RolloutFollowers, type RolloutLaggard } from './acknowledgement.ts';
export { type RolloutAct, type RolloutMove } from './change.ts';
export { cohortList, listInCohort, unlistFromCohort, type CohortListEntry, type CohortMember } from './cohort-list.ts';
export { bucketOf, inCohort, inHoldOut, type CohortEntry, type CohortLists, type RolloutArm } from './cohort.ts';
export { advance, moveRollout, rollback, setPercent } from './commands.ts';
export { deprecationHeaders, type DeprecationOptions } from './deprecation.ts';
export { readFigures, type ArmFigures, type RolloutFigures } from './figures.ts';
export { RolloutGuard, limitsOf, type GuardLook, type RolloutGuardOptions } from './guard.ts';
export { guardrailText } from './guardrail-text.ts';
export { GUARDRAIL_LIMITS, evaluateGuardrails, type GuardrailFinding, type GuardrailLimits, type GuardrailName } from './guardrails.ts';
export { rolloutHistory, type RolloutHistoryEntry } from './history.ts';
export { RolloutMeter, type RolloutMeterOptions } from './meter.ts';
export { enforcedMinimum, type CredentialEvidence, type MinimumCredential, type MinimumPolicy } from './minimum-credential.ts';
export { pauseRollout, resumeRollout } from './pause.ts';
export {
  ROLLOUT_PHASES,
  transition,
  type RolloutCommand,
  type RolloutPhase,
  type RolloutRefusal,
  type RolloutTransition,
} from './phase.ts';
export { policyFor, type RolloutCourse, type RolloutPolicy } from './policy.ts';
export { mayRetire, type RetireEvidence, type RetireProof, type RetireVerdict } from './retire.ts';
export { RolloutState, type RolloutStateOptions } from './rollout-state.ts';
export { ROLLOUT_TOPIC, readRollout, rolloutSchema, type Rollout, type RolloutPause } from './rollout.ts';
export { changeRolloutSettings, type RolloutSettings } from './settings.ts';
export { settleRollout, type FamiliesAlive } from './settle.ts';
export { ClientNaming, UNKNOWN_CLIENT, type ClientNamingOptions, type NamedClient, type UserAgentRule } from './usage/client-naming.ts';
export { ClientUsage, UsageCounter, type ClientUsageOptions, type UsedCredential } from './usage/client-usage.ts';
export { readClientUsage, readObservedUse, type ObservedUse, type UsageEntry } from './usage/usage-report.ts';
