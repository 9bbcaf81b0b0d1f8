import { WherryError, type Sealer } from '@wherry/core';

/**
 * A place in a scan of a source of `kind` as text. DynamoDB and MongoDB name a place by the key of the last item, and the
 * key of a session is a bearer secret: with a sealer it does not leave this process in the clear.
 */
export function encodeCursor(key: string, kind: string, sealer: Sealer | undefined): string {
  return sealer === undefined ? `key:${key}` : `sealed:${sealer.seal(Buffer.from(key), placeOf(kind)).toString('base64url')}`;
}

/** The key that a cursor names; `source_cursor_lost` where it names none. */
export function decodeCursor(cursor: string, kind: string, sealer: Sealer | undefined): string {
  if (sealer === undefined && cursor.startsWith('key:') && cursor.length > 4) return cursor.slice(4);
  if (sealer !== undefined && cursor.startsWith('sealed:')) {
    try {
      return sealer.open(Buffer.from(cursor.slice(7), 'base64url'), placeOf(kind)).toString();
    } catch (cause) {
      throw lost(cause);
    }
  }
  throw lost(undefined);
}

function placeOf(kind: string): Buffer {
  return Buffer.from(`${kind} cursor`);
}

function lost(cause: unknown): WherryError {
  return new WherryError('source_cursor_lost', 'the cursor names no place in this source; the partition starts again', { cause });
}
