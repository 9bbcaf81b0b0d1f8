import { WherryError } from '@wherry/core';
import { parsePath, type AttributePath } from '../attribute-path.ts';

/** How a value is written. */
export const MAPPED_VALUES = ['json', 'msgpack', 'php', 'php_serialize', 'php_binary', 'pickle', 'urlencoded'] as const;
/** How an application keeps its sessions that no format here knows. Paths as `parsePath` reads them. */
export interface SessionMapping {
  readonly value: (typeof MAPPED_VALUES)[number];
  /** Where the session says when it began. */
  readonly createTime?: string;
  /** Where it says when it was last used; counts only together with `idleTime`: its end is the sum. */
  readonly lastAccessTime?: string;
  /** Where it says when it ends. Absent: the store's own expiry decides, which a touch can put off. */
  readonly expireTime?: string;
  /** How these moments are written: seconds or milliseconds since 1970, or ISO 8601 with its zone. */
  readonly timeUnit: 's' | 'ms' | 'iso';
  /** Where it says how long it lives untouched. */
  readonly idleTime?: string;
  readonly idleUnit: 's' | 'ms';
  /** How the cookie holds the id: alone, in base64, signed as express-session does, or beside a signature of Keygrip's. */
  readonly cookie: 'plain' | 'base64' | 'express-signed' | 'keygrip';
}

/** The paths of a mapping, ready to be followed. */
export interface MappedPaths {
  readonly createTime: AttributePath | undefined;
  readonly lastAccessTime: AttributePath | undefined;
  readonly expireTime: AttributePath | undefined;
  readonly idleTime: AttributePath | undefined;
}

/** Reads a mapping's paths. Errors: `config_invalid` for a path that nothing can be meant by, and for a last access that says nothing. */
export function pathsOf({ createTime, lastAccessTime, expireTime, idleTime }: SessionMapping): MappedPaths {
  if (lastAccessTime !== undefined && idleTime === undefined)
    throw new WherryError(
      'config_invalid',
      'source.mapping.lastAccessTime says when a session ends only together with source.mapping.idleTime',
    );
  return {
    createTime: optional(createTime),
    lastAccessTime: optional(lastAccessTime),
    expireTime: optional(expireTime),
    idleTime: optional(idleTime),
  };
}

function optional(path: string | undefined): AttributePath | undefined {
  return path === undefined ? undefined : parsePath(path);
}
