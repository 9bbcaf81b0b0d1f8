import { isUtf8 } from 'node:buffer';

/**
 * Stored bytes as the text that a source hands over, where they need not be text: JSON of `{"text": …}` where they are
 * well-formed UTF-8, of `{"base64": …}` where they are not. One text for the same bytes, and the bytes again from it.
 */
export function textOfBytes(bytes: Uint8Array): string {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return isUtf8(buffer) ? JSON.stringify({ text: buffer.toString('utf8') }) : JSON.stringify({ base64: buffer.toString('base64') });
}

/** The bytes in a text that {@link textOfBytes} made; members beside them are passed over. undefined: it made none such. */
export function bytesOfText(text: string): Buffer | undefined {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof parsed !== 'object' || parsed === null) return undefined;
  const { text: plain, base64 } = parsed as { readonly text?: unknown; readonly base64?: unknown };
  if (typeof plain === 'string') return base64 === undefined && plain.isWellFormed() ? Buffer.from(plain, 'utf8') : undefined;
  if (typeof base64 !== 'string') return undefined;
  const bytes = Buffer.from(base64, 'base64');
  // Node's decoder passes over what is no base64; two texts must not stand for the same bytes.
  return bytes.toString('base64') === base64 ? bytes : undefined;
}
