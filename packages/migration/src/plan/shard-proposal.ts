/** How many shards, and why. */
export interface ShardProposal {
  readonly shards: number;
  readonly reasons: readonly string[];
}

/** What one shard of ordinary size carries with room to spare; docs/4-migration.md names them. */
const SESSIONS_PER_SHARD = 20_000_000;
const BYTES_PER_SHARD = 64 * 1024 ** 3;
const USES_PER_SHARD = 5000;
/** A row beside its attributes, with its indexes, in bytes. */
const ROW_OVERHEAD = 600;
/** Indexes and dead rows on top of what is stored. */
const BLOAT = 1.5;
const LEAST = 2;

/** Reckons the number of shards from sessions, bytes and rate: the largest need decides. */
export function proposeShards(known: {
  readonly sessions: number;
  readonly meanBytes: number;
  readonly usesPerSecond: number | null;
}): ShardProposal {
  const { sessions, meanBytes, usesPerSecond } = known;
  const bytes = sessions * (meanBytes + ROW_OVERHEAD) * BLOAT;
  const uses = usesPerSecond ?? 0;
  const needs = [
    [Math.ceil(sessions / SESSIONS_PER_SHARD), `${count(sessions)} sessions, ${count(SESSIONS_PER_SHARD)} a shard`],
    [
      Math.ceil(bytes / BYTES_PER_SHARD),
      `${gibibytes(bytes)} with indexes and room for dead rows (${count(meanBytes)} bytes a session and ${ROW_OVERHEAD} of the row), ${gibibytes(BYTES_PER_SHARD)} a shard`,
    ],
    [
      Math.ceil(uses / USES_PER_SHARD),
      usesPerSecond === null
        ? 'rate: not known, sessions do not say when they were used last'
        : `${uses < 1 ? 'less than 1' : count(Math.round(uses))} sessions a second in use, ${count(USES_PER_SHARD)} a shard`,
    ],
  ] as const;
  const largest = Math.max(...needs.map(([need]) => need));
  const shards = Math.max(LEAST, largest);
  return {
    shards,
    reasons: [
      ...needs.map(([need, words]) => `${words}: ${Math.max(1, need)}`),
      largest < LEAST ? `${LEAST} all the same: one shard down then leaves half of the users` : 'the largest need decides',
      'slots move to further shards online: too few is mended later',
    ],
  };
}

function count(number: number): string {
  return number.toLocaleString('en-US');
}

function gibibytes(bytes: number): string {
  const size = bytes / 1024 ** 3;
  return `${size < 0.1 ? '< 0.1' : size.toFixed(size < 10 ? 1 : 0)} GiB`;
}
