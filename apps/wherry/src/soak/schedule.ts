/** The processes of a soak, as one knows them by name. */
export const ROLES = ['gateway-0', 'gateway-1', 'auth', 'migrator', 'application'] as const;
export type RoleName = (typeof ROLES)[number];

/** The servers of a soak. */
export const SERVERS = ['control', 'shard-0', 'shard-1', 'source'] as const;
export type ServerName = (typeof SERVERS)[number];
/** Those that keep what they have acknowledged when they crash. */
export const DATABASES = ['control', 'shard-0', 'shard-1'] as const;
export type DatabaseName = (typeof DATABASES)[number];

/** One fault. Times in milliseconds. */
export type SoakFault =
  /** SIGKILL; the process is started again at once. */
  | { readonly kind: 'kill'; readonly role: RoleName }
  /** SIGSTOP, and SIGCONT after `ms`; a lease lasts 5 s. */
  | { readonly kind: 'freeze'; readonly role: RoleName; readonly ms: number }
  /** All connections of a process to a server end, and none is made for `ms`. */
  | { readonly kind: 'cut'; readonly role: RoleName; readonly server: ServerName; readonly ms: number }
  /** A server goes down, and comes back with its data after `ms`. */
  | { readonly kind: 'restart'; readonly server: ServerName; readonly ms: number }
  /** A database is stopped in the middle of everything (SIGQUIT to PostgreSQL), and recovers after `ms`. */
  | { readonly kind: 'crash'; readonly server: DatabaseName; readonly ms: number }
  /** The disk with the sessions of the first shard is full for `ms`. */
  | { readonly kind: 'full-disk'; readonly ms: number }
  /** Somebody sets the wall clock of one process wrong by `byMs`, and right again after `ms`. */
  | { readonly kind: 'clock'; readonly role: RoleName; readonly byMs: number; readonly ms: number };

/** A fault and the pause before it. */
export interface PlannedFault {
  readonly pauseMs: number;
  readonly fault: SoakFault;
}

/** Every kind of fault. */
export const KINDS: readonly SoakFault['kind'][] = ['kill', 'freeze', 'cut', 'restart', 'crash', 'full-disk', 'clock'];
/** How long a process stands still, from and to: less than half of a lease, or for longer than it, heartbeat and margin included. */
const FREEZES = [
  [300, 2000],
  [6000, 9000],
] as const;
const LONGEST_CLOCK_MS = 30_000;
/**
 * Auth dates tokens by its own clock and the offset that it measures once a second. A step past the tolerance for skew
 * makes it give out ones of another time until the next measuring: that is known, and no fault to find.
 */
const LONGEST_CLOCK_OF_AUTH_MS = 900;

/**
 * The faults of a seed, one after the other without end: always the same for the same seed. Kinds come in shuffled
 * rounds, so that a short run meets all of them; so do the processes and servers that they strike.
 */
export function* faultSchedule(seed: number): Generator<PlannedFault, never> {
  const random = generator(seed);
  const within = (least: number, most: number): number => Math.round(least + random() * (most - least));
  const kinds = rounds(KINDS, random);
  const roles = rounds(ROLES, random);
  const servers = { cut: rounds(SERVERS, random), restart: rounds(SERVERS, random), crash: rounds(DATABASES, random) };
  // Roles take turns for each length, so that every one of them stands still for longer than its lease soon.
  const frozen = rounds(
    ROLES.flatMap((role) => FREEZES.map((bounds) => ({ role, bounds }))),
    random,
  );
  for (;;) {
    const pauseMs = within(500, 2500);
    yield { pauseMs, fault: faultOf(kinds.next().value, { roles, frozen, servers, within }) };
  }
}

interface Choices {
  readonly roles: Generator<RoleName, never>;
  readonly frozen: Generator<{ readonly role: RoleName; readonly bounds: (typeof FREEZES)[number] }, never>;
  readonly servers: Readonly<Record<'cut' | 'restart', Generator<ServerName, never>>> & { readonly crash: Generator<DatabaseName, never> };
  readonly within: (least: number, most: number) => number;
}

function faultOf(kind: SoakFault['kind'], { roles, frozen, servers, within }: Choices): SoakFault {
  switch (kind) {
    case 'kill':
      return { kind, role: roles.next().value };
    case 'freeze': {
      const { role, bounds } = frozen.next().value;
      return { kind, role, ms: within(bounds[0], bounds[1]) };
    }
    case 'cut':
      return { kind, role: roles.next().value, server: servers.cut.next().value, ms: within(200, 3000) };
    case 'restart':
      return { kind, server: servers.restart.next().value, ms: within(100, 1500) };
    case 'crash':
      return { kind, server: servers.crash.next().value, ms: within(0, 1000) };
    case 'full-disk':
      return { kind, ms: within(500, 3000) };
    case 'clock': {
      const role = roles.next().value;
      const most = role === 'auth' ? LONGEST_CLOCK_OF_AUTH_MS : LONGEST_CLOCK_MS;
      return { kind, role, byMs: within(-most, most), ms: within(500, 4000) };
    }
  }
}

/** A fault in words. */
export function faultText(fault: SoakFault): string {
  switch (fault.kind) {
    case 'kill':
      return `${fault.role} is killed`;
    case 'freeze':
      return `${fault.role} stands still for ${fault.ms} ms`;
    case 'cut':
      return `${fault.role} is cut off from ${fault.server} for ${fault.ms} ms`;
    case 'restart':
      return `${fault.server} is down for ${fault.ms} ms`;
    case 'crash':
      return `${fault.server} crashes and is back after ${fault.ms} ms`;
    case 'full-disk':
      return `the disk of shard-0 is full for ${fault.ms} ms`;
    case 'clock':
      return `the clock of ${fault.role} is wrong by ${fault.byMs} ms for ${fault.ms} ms`;
  }
}

/** All values in a random order, then all in another one, and so on. */
function* rounds<T>(values: readonly T[], random: () => number): Generator<T, never> {
  for (;;) {
    const round = [...values];
    while (round.length > 0) yield* round.splice(Math.floor(random() * round.length), 1);
  }
}

/** Numbers from 0 to 1 that follow from the seed (mulberry32). */
function generator(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
