import { valueAt } from '../attribute-path.ts';
import { StructureFault, type Structure } from '../structure-decoder.ts';
import type { MappedPaths, SessionMapping } from './mapping.ts';

const ISO = /^\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d(?:[.,]\d{1,9})?)?(?:Z|[+-]\d\d(?::?\d\d)?)$/;
/** The last moment that a Date can say, epoch ms. */
const LAST_MOMENT = 8.64e15;

/** When a session began, ends, and how long it lives, as it says itself. A moment of the wrong form is a fault: guessed, it would sign people out, or keep them in. */
export function timesOf(
  tree: object,
  paths: MappedPaths,
  { timeUnit, idleUnit }: Pick<SessionMapping, 'timeUnit' | 'idleUnit'>,
): Omit<Structure, 'tree'> {
  const moment = (name: keyof MappedPaths): number | undefined => momentAt(tree, paths, name, timeUnit);
  const [createTime, lastAccess, explicit] = [moment('createTime'), moment('lastAccessTime'), moment('expireTime')];
  const idleMs = lengthAt(tree, paths, idleUnit);
  const sum = lastAccess === undefined || idleMs === null ? undefined : lastAccess + idleMs;
  const expireTime = explicit ?? sum;
  return {
    idleMs,
    ...(createTime === undefined ? {} : { createTime }),
    ...(expireTime === undefined ? {} : { expireTime, expireTimeFixed: true }),
  };
}

function momentAt(tree: object, paths: MappedPaths, name: keyof MappedPaths, unit: SessionMapping['timeUnit']): number | undefined {
  const path = paths[name];
  const value = path === undefined ? undefined : valueAt(tree, path);
  if (value === undefined || value === null) return undefined;
  const ms = unit === 'iso' ? isoOf(value) : scaled(value, unit);
  if (ms === undefined || ms < 0 || ms > LAST_MOMENT) throw new StructureFault('not_a_session', `${name} leads to what is no moment`);
  return ms;
}

/** Nothing, 0 and less: it has no idle time of its own. */
function lengthAt(tree: object, { idleTime: path }: MappedPaths, unit: SessionMapping['idleUnit']): number | null {
  const value = path === undefined ? undefined : valueAt(tree, path);
  if (value === undefined || value === null) return null;
  const ms = scaled(value, unit);
  if (ms === undefined || ms > LAST_MOMENT) throw new StructureFault('not_a_session', 'idleTime leads to what is no length of time');
  return ms > 0 ? ms : null;
}

function scaled(value: unknown, unit: 's' | 'ms'): number | undefined {
  const number =
    typeof value === 'string' && /^-?\d{1,16}(?:\.\d{1,9})?$/.test(value)
      ? Number(value)
      : typeof value === 'bigint'
        ? Number(value)
        : value;
  return typeof number === 'number' && Number.isFinite(number) ? Math.round(unit === 's' ? number * 1000 : number) : undefined;
}

function isoOf(value: unknown): number | undefined {
  if (typeof value !== 'string' || !ISO.test(value)) return undefined;
  const ms = Date.parse(
    value
      .replace(',', '.')
      .replace(/([+-]\d\d)$/, '$1:00')
      .replace(/([+-]\d\d)(\d\d)$/, '$1:$2'),
  );
  return Number.isFinite(ms) ? ms : undefined;
}
