import { isObject } from './identity.ts';
import type { Second } from './meter.ts';
import type { Report } from './report.ts';
import type { Offence } from './tally.ts';

/** What the parent writes to standard input, one JSON object per line. `id` comes back with what answers it. */
export type Command = { readonly id?: number | string } & (
  | { readonly do: 'start' }
  /** Users finish what they do and wait for `start`. */
  | { readonly do: 'rest' }
  /** What clients send. `percent`: share of the users who follow `jwt`; default 100. */
  | { readonly do: 'mode'; readonly mode: 'cookie' | 'jwt'; readonly percent?: number }
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
  | { readonly event: 'progress'; readonly do: 'probe-all'; readonly done: number; readonly total: number }
  | { readonly event: 'done'; readonly do: Command['do']; readonly id?: number | string }
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
  const { do: name, mode, percent, url, auth, on } = input;
  switch (name) {
    case 'start':
    case 'rest':
    case 'probe-all':
    case 'report':
    case 'stop':
      return undefined;
    case 'mode':
      if (mode !== 'cookie' && mode !== 'jwt') return '"mode" must be "cookie" or "jwt"';
      return percent === undefined || (typeof percent === 'number' && percent >= 0 && percent <= 100)
        ? undefined
        : '"percent" must be from 0 to 100';
    case 'set-gateway':
      if (!(isAddress(url) || (isTexts(url) && url.length > 0 && url.every(isAddress)))) return '"url" must be an http address or several';
      return auth === undefined || isAddress(auth) ? undefined : '"auth" must be an http address';
    case 'overlap':
      return typeof on === 'boolean' ? undefined : '"on" must be true or false';
    default:
      return '"do" must be one of start, rest, mode, set-gateway, overlap, probe-all, report, stop';
  }
}

function isTexts(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((entry) => typeof entry === 'string');
}

function isAddress(value: unknown): value is string {
  return typeof value === 'string' && /^https?:\/\//.test(value) && URL.canParse(value);
}
