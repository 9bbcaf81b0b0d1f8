import { WherryError } from '@wherry/core';
import { clusterSlot, hashTag, tagOfSlot } from './cluster-slot.ts';

/**
 * The key beside a session's own that holds its version or tombstone: `{sess:abc}:w` for `sess:abc`. The hash tag puts
 * it into the session's cluster slot (Redis cluster specification, "hash tags"); a key that brings a tag of its own
 * keeps that one, and one with a `}` that cannot stand in a tag gets one of the same slot.
 * The first character always differs from the session key's own, which keeps companions out of the application's
 * pattern `sess:*`, with which connect-redis lists and clears. `encoding`: of the key's characters.
 */
export function companionKey(key: string, encoding: 'utf8' | 'latin1' = 'utf8'): string {
  const own = hashTag(key);
  if (own !== undefined) return key.startsWith('w') ? `{${own}}:w:${key}` : `w:{${own}}:${key}`;
  return key.includes('}') ? `{${tagOfSlot(clusterSlot(key, encoding))}}:w:${key}` : `{${key}}:w`;
}

/** True for a key that is the companion of another. */
export function isCompanion(key: string, encoding: 'utf8' | 'latin1' = 'utf8'): boolean {
  const [, tag, tagged] = /^(?:\{([^}]+)\}:w|(?:w:\{[^}]+\}:|\{[^}]+\}:w:)([^]*))$/s.exec(key) ?? [];
  const session = tag ?? tagged;
  return session !== undefined && companionKey(session, encoding) === key;
}

/** `config_invalid` for a prefix under which companions would be taken for sessions. */
export function checkPrefix(prefix: string): void {
  if (prefix !== '' && companionKey(`${prefix}x`).startsWith(prefix))
    throw new WherryError('config_invalid', 'the prefix of the session keys: not "{" alone, so that other keys can be told from sessions');
}

/** A pattern of Redis' glob dialect that matches the keys starting with `prefix`, and no others. */
export function keyPattern(prefix: string): string {
  return `${prefix.replaceAll(/[\\*?[\]]/g, String.raw`\$&`)}*`;
}
