import { isObject } from './identity.ts';
import type { Second } from './meter.ts';
import type { Report } from './report.ts';
import type { Offence } from './tally.ts';

/** What the parent writes to standard input, one JSON object per line. `id` comes back with what answers it. */
export type Command = { readonly id?: number | string } & (
  | { readonly do: 'start' }
  /** Users finish what they do and wait for `start`. */
  | { readonly do: 'rest' }
  /**
   * What clients send. `percent`: share of the users who follow `jwt` and `renewing`; default 100. `toldOnly`: only those whom
   * the server has told to go over; default false. `broken`: share of these whose release mutilates its tokens; default 0.
   */
  | {
      readonly do: 'mode';
      readonly mode: 'cookie' | 'jwt' | 'renewing';
      readonly percent?: number;
      readonly toldOnly?: boolean;
      readonly broken?: number;
    }
  /** The share of renewals whose answer is dropped on purpose, 0 to 1. */
  | { readonly do: 'drop'; readonly share: number }
  /** Every live session without a renewal credential exchanges its cookie for one. `concurrency`: default 64. */
  | { readonly do: 'fetch-all'; readonly concurrency?: number }
  /** So many superseded renewal credentials are presented. */
  | { readonly do: 'replay-renewals'; readonly count: number }
  /** The application has no sessions any more: a log-in answers tokens, and nobody sends a cookie. */
  | { readonly do: 'stateless' }
  /** The server takes no cookies any more; so many of the old ones are tried. */
  | { readonly do: 'retired'; readonly cookies: number }
  /** Where requests go: one base address or several in turn. `auth` stays as it was when it is not given. */
  | { readonly do: 'set-gateway'; readonly url: string | readonly string[]; readonly auth?: string }
  /** Let requests overlap log-outs and rotations. */
  | { readonly do: 'overlap'; readonly on: boolean }
  /** `presence`: ask the parent what the target holds; default true. `tokens`: exchange all cookies; default false. */
  | { readonly do: 'probe-all'; readonly presence?: boolean; readonly tokens?: boolean }
  | { readonly do: 'report' }
  /** Ends the process after a last report. */
  | { readonly do: 'stop' }
);

/** The parent's answer to `ask`: those of the ids that are there. */
export interface PresenceAnswer {
  readonly answer: number;
  readonly present: readonly string[];
}

/** What the crowd writes to standard output, one JSON object per line. Times in milliseconds. */
export type CrowdEvent =
  | { readonly event: 'ready'; readonly users: number; readonly sessions: number }
  /** Once a second while it lives. */
  | ({ readonly event: 'second'; readonly total: number } & Second)
  /** The first of each kind, as they happen. */
  | ({ readonly event: 'fault' } & Offence)
  | { readonly event: 'progress'; readonly do: 'probe-all' | 'fetch-all'; readonly done: number; readonly total: number }
  /** `count`: how many there were of what the command asked for, where it counts. */
  | { readonly event: 'done'; readonly do: Command['do']; readonly count?: number; readonly id?: number | string }
  | ({ readonly event: 'report'; readonly id?: number | string } & Report)
  | { readonly event: 'error'; readonly code: 'bad_command' | 'command_failed'; readonly message: string; readonly id?: number | string }
  /** A question to the parent: which of these sessions, by SHA-256 of the canonical session id in hexadecimal, does the target hold? */
  | { readonly ask: 'present'; readonly n: number; readonly ids: readonly string[] };

/** Reads a line of standard input. Throws with what is allowed when it is neither a command nor an answer. */
export function parseInput(line: string): Command | PresenceAnswer {
  let input: unknown;
  try {
    input = JSON.parse(line);
  } catch {
    throw new Error('the line is not JSON');
  }
  if (!isObject(input)) throw new Error('the line is not a JSON object');
  if (typeof input['answer'] === 'number' && isTexts(input['present'])) return { answer: input['answer'], present: input['present'] };
  const fault = faultOf(input);
  if (fault !== undefined) throw new Error(fault);
  return input as unknown as Command;
}

function faultOf(input: Record<string, unknown>): string | undefined {
  const { do: name, mode, percent, broken, toldOnly, share, count, cookies, concurrency, url, auth, on } = input;
  switch (name) {
    case 'start':
    case 'rest':
    case 'probe-all':
    case 'report':
    case 'stop':
    case 'stateless':
      return undefined;
    case 'mode':
      if (mode !== 'cookie' && mode !== 'jwt' && mode !== 'renewing') return '"mode" must be "cookie", "jwt" or "renewing"';
      if (toldOnly !== undefined && typeof toldOnly !== 'boolean') return '"toldOnly" must be true or false';
      if (!isWithin(percent ?? 100, 0, 100)) return '"percent" must be from 0 to 100';
      return isWithin(broken ?? 0, 0, 100) ? undefined : '"broken" must be from 0 to 100';
    case 'drop':
      return isWithin(share, 0, 1) ? undefined : '"share" must be from 0 to 1';
    case 'fetch-all':
      return isWithin(concurrency ?? 1, 1, 1000) ? undefined : '"concurrency" must be from 1 to 1000';
    case 'replay-renewals':
      return isWithin(count, 0, 1_000_000) ? undefined : '"count" must be from 0 to 1000000';
    case 'retired':
      return isWithin(cookies, 0, 1_000_000) ? undefined : '"cookies" must be from 0 to 1000000';
    case 'set-gateway':
      if (!(isAddress(url) || (isTexts(url) && url.length > 0 && url.every(isAddress)))) return '"url" must be an http address or several';
      return auth === undefined || isAddress(auth) ? undefined : '"auth" must be an http address';
    case 'overlap':
      return typeof on === 'boolean' ? undefined : '"on" must be true or false';
    default:
      return `"do" must be one of ${NAMES}`;
  }
}

const NAMES = 'start, rest, mode, drop, fetch-all, replay-renewals, stateless, retired, set-gateway, overlap, probe-all, report, stop';

function isWithin(value: unknown, least: number, most: number): boolean {
  return typeof value === 'number' && value >= least && value <= most;
}

function isTexts(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((entry) => typeof entry === 'string');
}

function isAddress(value: unknown): value is string {
  return typeof value === 'string' && /^https?:\/\//.test(value) && URL.canParse(value);
}
