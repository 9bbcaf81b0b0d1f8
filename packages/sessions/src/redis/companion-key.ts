import { WherryError } from '@wherry/core';

/**
 * The key beside a session's own that holds its version or tombstone: `{sess:abc}:w` for `sess:abc`. The hash tag puts
 * it into the session's cluster slot (Redis cluster specification, "hash tags"); a key that brings a tag of its own
 * keeps that one. A key with `}` but no tag cannot be named by a tag: it works on servers without cluster mode only.
 * The first character always differs from the session key's own, which keeps companions out of the application's
 * pattern `sess:*`, with which connect-redis lists and clears.
 */
export function companionKey(key: string): string {
  const open = key.indexOf('{');
  const close = open < 0 ? -1 : key.indexOf('}', open + 1);
  if (close <= open + 1) return `{${key}}:w`;
  const tag = key.slice(open, close + 1);
  return key.startsWith('w') ? `${tag}:w:${key}` : `w:${tag}:${key}`;
}

/** `config_invalid` for a prefix under which companions would be taken for sessions. */
export function checkPrefix(prefix: string): void {
  if (prefix === '' || companionKey(`${prefix}x`).startsWith(prefix)) {
    throw new WherryError(
      'config_invalid',
      'the prefix of the session keys: not empty, and not "{" alone, so that other keys can be told from sessions',
    );
  }
}

/** A pattern of Redis' glob dialect that matches the keys starting with `prefix`, and no others. */
export function keyPattern(prefix: string): string {
  return `${prefix.replaceAll(/[\\*?[\]]/g, String.raw`\$&`)}*`;
}
