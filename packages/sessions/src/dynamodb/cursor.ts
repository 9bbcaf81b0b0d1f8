import { WherryError, type Sealer } from '@wherry/core';

const PLACE = Buffer.from('dynamodb cursor');

/**
 * A place in a scan as text. DynamoDB names a place by the key of the last item, and the key of a session is a bearer
 * secret: with a sealer it does not leave this process in the clear.
 */
export function encodeCursor(key: string, sealer: Sealer | undefined): string {
  return sealer === undefined ? `key:${key}` : `sealed:${sealer.seal(Buffer.from(key), PLACE).toString('base64url')}`;
}

/** The key that a cursor names; `source_cursor_lost` where it names none. */
export function decodeCursor(cursor: string, sealer: Sealer | undefined): string {
  if (sealer === undefined && cursor.startsWith('key:') && cursor.length > 4) return cursor.slice(4);
  if (sealer !== undefined && cursor.startsWith('sealed:')) {
    try {
      return sealer.open(Buffer.from(cursor.slice(7), 'base64url'), PLACE).toString();
    } catch (cause) {
      throw lost(cause);
    }
  }
  throw lost(undefined);
}

function lost(cause: unknown): WherryError {
  return new WherryError('source_cursor_lost', 'the cursor names no place in this table; the partition starts again', { cause });
}
