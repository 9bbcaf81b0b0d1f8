import type { SourceChangeKind } from '../../source/change-feed.ts';

/** What a command of the replication stream does to one key. */
export interface Effect {
  readonly key: Buffer;
  readonly kind: SourceChangeKind;
  readonly value?: Buffer;
  /** Since this command, source's clock, epoch ms; null: never; absent: the command alone does not say. */
  readonly expireTime?: number | null;
}

/** A command: its name in upper case, then its arguments; undefined for one that was too long to hold. */
export interface ReplicatedCommand {
  readonly name: string;
  readonly args: readonly (Buffer | undefined)[];
}

/** What a command does to the whole database that it is sent to. */
export type Effects = readonly Effect[] | 'cleared';

const NONE: readonly Effect[] = [];
const SILENT: ReadonlySet<string> = new Set(['PING', 'REPLCONF', 'PUBLISH', 'SPUBLISH', 'SCRIPT', 'FUNCTION', 'SELECT', 'MULTI', 'EXEC']);

/**
 * What a command does, as the primary sends it to its replicas. Known are those by which sessions are written, extended
 * and removed. Of any other, every argument is taken for a key of which nothing is known: who reads the session again is
 * right in any case, and arguments that are no session's keys are nobody's. So no command can be missed by its name.
 * `now`: the source's clock, for lives that are relative (primaries before 7.0 send them so).
 */
export function effectsOf({ name, args }: ReplicatedCommand, now: number): Effects {
  const [first, second, third] = args;
  switch (name) {
    case 'SET':
      return first === undefined ? NONE : [{ key: first, kind: 'value', ...valueOf(second), ...lifeOfSet(args.slice(2), now) }];
    case 'SETEX':
    case 'PSETEX':
      return first === undefined
        ? NONE
        : [{ key: first, kind: 'value', ...valueOf(third), ...after(second, name === 'SETEX' ? 1000 : 1, now) }];
    case 'SETNX':
    case 'GETSET':
      return first === undefined ? NONE : [{ key: first, kind: 'value', ...valueOf(second), expireTime: null }];
    case 'MSET':
    case 'MSETNX':
      return pairs(args);
    case 'DEL':
    case 'UNLINK':
    case 'GETDEL':
      return keys(args, 'removal');
    case 'EXPIRE':
    case 'PEXPIRE':
      return life(args, (text) => after(text, name === 'EXPIRE' ? 1000 : 1, now));
    case 'EXPIREAT':
    case 'PEXPIREAT':
      return life(args, (text) => at(text, name === 'EXPIREAT' ? 1000 : 1));
    case 'PERSIST':
      return first === undefined ? NONE : [{ key: first, kind: 'expiry', expireTime: null }];
    case 'GETEX':
      return first === undefined ? NONE : [{ key: first, kind: 'expiry' }];
    case 'RENAME':
    case 'RENAMENX':
      return [...keys([first], 'removal'), ...keys([second], 'other')];
    // It may have gone to another database or have come from one: both are looked at.
    case 'MOVE':
      return keys([first], 'other');
    case 'FLUSHDB':
    case 'FLUSHALL':
    case 'SWAPDB':
      return 'cleared';
    default:
      return SILENT.has(name) ? NONE : keys(args, 'other');
  }
}

function keys(args: readonly (Buffer | undefined)[], kind: SourceChangeKind): Effect[] {
  return args.flatMap((key) => (key === undefined ? [] : [{ key, kind }]));
}

function pairs(args: readonly (Buffer | undefined)[]): Effect[] {
  const effects: Effect[] = [];
  for (let n = 0; n < args.length; n += 2) {
    const key = args[n];
    if (key !== undefined) effects.push({ key, kind: 'value', ...valueOf(args[n + 1]), expireTime: null });
  }
  return effects;
}

function valueOf(value: Buffer | undefined): { readonly value?: Buffer } {
  return value === undefined ? {} : { value };
}

/** NX, XX, GT and LT set it or not: only the key itself can tell. */
function life(args: readonly (Buffer | undefined)[], expiry: (text: Buffer | undefined) => { readonly expireTime?: number }): Effect[] {
  const [key] = args;
  if (key === undefined) return [];
  return [{ key, kind: 'expiry', ...(args.length > 2 ? {} : expiry(args[1])) }];
}

function lifeOfSet(options: readonly (Buffer | undefined)[], now: number): { readonly expireTime?: number | null } {
  for (let n = 0; n < options.length; n++) {
    const option = options[n]?.toString('latin1').toUpperCase();
    if (option === 'KEEPTTL') return {};
    if (option === 'EX' || option === 'PX') return after(options[n + 1], option === 'EX' ? 1000 : 1, now);
    if (option === 'EXAT' || option === 'PXAT') return at(options[n + 1], option === 'EXAT' ? 1000 : 1);
  }
  return { expireTime: null };
}

function after(text: Buffer | undefined, unit: number, now: number): { readonly expireTime?: number } {
  const { expireTime } = at(text, unit);
  return expireTime === undefined ? {} : { expireTime: now + expireTime };
}

function at(text: Buffer | undefined, unit: number): { readonly expireTime?: number } {
  const time = Number(text?.toString('latin1')) * unit;
  return Number.isSafeInteger(time) ? { expireTime: time } : {};
}
