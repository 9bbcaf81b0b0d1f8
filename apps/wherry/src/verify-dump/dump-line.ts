import { DumpFault } from './dump-fault.ts';

/** One session as an export has it. Times in epoch milliseconds, by the target's clock. */
export type DumpEntry =
  | {
      readonly id: string;
      readonly at: number;
      readonly state: 'live';
      readonly user: string | null;
      readonly name: string | null;
      readonly authorities: readonly string[];
      /** null: never. */
      readonly expires: number | null;
    }
  | { readonly id: string; readonly at: number; readonly state: 'ended' | 'undecodable' };

/** The first line: which side it is and when its reading began. */
export interface DumpHeader {
  readonly side: string;
  readonly began: number;
}

/** The last line: an export without it was cut off. */
export interface DumpFooter {
  readonly sessions: number;
  readonly finished: number;
}

const FORMAT = 'wherry-sessions';
const VERSION = 1;
const ID = /^[0-9a-f]{64}$/;

/** Reads the first line. Errors: {@link DumpFault}. */
export function readHeader(line: string, where: string): DumpHeader {
  const { format, version, side, began } = object(line, where);
  if (format !== FORMAT) throw new DumpFault(`${where}: this is no export of sessions`);
  if (version !== VERSION) throw new DumpFault(`${where}: the export has another version than ${VERSION}`);
  if (typeof side !== 'string' || !isTime(began)) throw new DumpFault(`${where}: the first line lacks "side" or "began"`);
  return { side, began };
}

/** Reads a further line. Errors: {@link DumpFault}. */
export function readLine(line: string, where: string): DumpEntry | DumpFooter {
  const { id, at, state, user, name, authorities, expires, sessions, finished } = object(line, where);
  if (id === undefined && Number.isSafeInteger(sessions) && isTime(finished)) return { sessions: sessions as number, finished };
  if (typeof id !== 'string' || !ID.test(id)) throw new DumpFault(`${where}: "id" is no SHA-256 in lower-case hexadecimal`);
  if (!isTime(at)) throw new DumpFault(`${where}: "at" is no time`);
  if (state === 'ended' || state === 'undecodable') return { id, at, state };
  if (state !== 'live') throw new DumpFault(`${where}: "state" is none of live, ended, undecodable`);
  if (!isNameOrNull(user) || !isNameOrNull(name)) throw new DumpFault(`${where}: "user" or "name" is neither text nor null`);
  if (!Array.isArray(authorities) || !authorities.every((each): each is string => typeof each === 'string'))
    throw new DumpFault(`${where}: "authorities" is no array of texts`);
  if (expires !== null && !isTime(expires)) throw new DumpFault(`${where}: "expires" is neither a time nor null`);
  return { id, at, state, user, name, authorities, expires };
}

function object(line: string, where: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch (error) {
    throw new DumpFault(`${where}: the line is no JSON`, { cause: error });
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new DumpFault(`${where}: the line is no JSON object`);
  return value as Record<string, unknown>;
}

function isTime(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value);
}

function isNameOrNull(value: unknown): value is string | null {
  return value === null || typeof value === 'string';
}
