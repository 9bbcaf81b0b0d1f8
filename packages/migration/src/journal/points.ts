/**
 * Every place at which a crash leaves something behind, in the order in which a whole migration passes them. The crash
 * tests kill the migrator at each, so whoever adds a place to the code adds it here: `reach` takes no other.
 */
export const JOURNAL_POINTS = [
  'plan.done',
  'mirror.done',
  'copy.page-read',
  'copy.page-written',
  'copy.checkpoint',
  'copy.partition-done',
  'copy.done',
  'verify.page-compared',
  'verify.checkpoint',
  'verify.repaired',
  'verify.done',
  'shadow.done',
  'switch.batch-chosen',
  'switch.closing',
  'switch.shards-closed',
  'switch.acknowledged',
  'switch.checked',
  'switch.committed',
  'switch.opened',
  'switch.done',
  'settle.drained',
  'settle.done',
] as const;

/** A place of {@link JOURNAL_POINTS}. */
export type JournalPoint = (typeof JOURNAL_POINTS)[number];

/** Points passed once a page or batch: told to observers, but not worth a row each. */
const FREQUENT: ReadonlySet<JournalPoint> = new Set<JournalPoint>([
  'copy.page-read',
  'copy.page-written',
  'copy.checkpoint',
  'verify.page-compared',
  'verify.checkpoint',
  'switch.batch-chosen',
  'switch.closing',
  'switch.shards-closed',
  'switch.acknowledged',
  'switch.checked',
  'switch.opened',
]);

/** True for points that get a row in the journal. */
export function isRecorded(point: JournalPoint): boolean {
  return !FREQUENT.has(point);
}
