export type { Command, CrowdEvent, PresenceAnswer } from './protocol.ts';
export type { Offence } from './tally.ts';
export type { Report } from './report.ts';
export type { Second } from './meter.ts';
