import { WherryError } from '@wherry/core';

/** The empty text. No encoded text can be this: a quotation mark is always percent-encoded. */
const EMPTY = '""';
const ENCODED = /^[A-Za-z0-9\-_.!~*'()%]+$/;

/**
 * Writes a text so that it fits into one member of a list in a header: percent-encoded UTF-8, so that it holds no
 * comma, no white space and no control character whatever the text holds. Errors: `unauthenticated` for a text with
 * half a surrogate pair, which has no UTF-8 form: two such users would otherwise become one.
 */
export function encodeText(text: string): string {
  if (text === '') return EMPTY;
  if (!text.isWellFormed()) throw new WherryError('unauthenticated', 'the identity holds text that is not well-formed Unicode');
  return encodeURIComponent(text);
}

/** Reads what {@link encodeText} wrote; undefined for anything else, so that a text has one written form only. */
export function decodeText(encoded: string): string | undefined {
  if (encoded === EMPTY) return '';
  if (!ENCODED.test(encoded)) return undefined;
  if (!encoded.includes('%')) return encoded;
  try {
    const text = decodeURIComponent(encoded);
    return encodeURIComponent(text) === encoded ? text : undefined;
  } catch {
    return undefined;
  }
}

/** Texts as one header value: their encoded forms with commas between (RFC 9110 section 5.6.1); nothing for none. */
export function encodeList(texts: readonly string[]): string {
  return texts.map(encodeText).join(',');
}

/** Reads what {@link encodeList} wrote. A second header line joined by a proxy holds a space and is refused with undefined. */
export function decodeList(encoded: string): readonly string[] | undefined {
  if (encoded === '') return [];
  const texts: string[] = [];
  for (const member of encoded.split(',')) {
    const text = decodeText(member);
    if (text === undefined) return undefined;
    texts.push(text);
  }
  return texts;
}
