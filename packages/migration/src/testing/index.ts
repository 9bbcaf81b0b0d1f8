export { workOff } from '../repair/work-off.ts';
export { verifyUntilEqual } from '../steps.ts';
export { recoverSlots } from '../switch/recover.ts';
export { switchUntilDone } from '../switch/switch.ts';
export { VerificationNeeded } from '../switch/verification-needed.ts';
export { compareSides, type SideView } from '../verify/compare.ts';
export { TEST_IDENTITY, Workbench, type MigratorSetup, type RunningMigrator, type WorkbenchAddress } from './workbench.ts';
export { slicedSource } from './sliced-source.ts';
