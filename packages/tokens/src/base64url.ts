/**
 * The bytes behind canonical base64url (RFC 4648 section 5, no padding), undefined otherwise. Node's decoder passes
 * over foreign characters and spare bits; encoding again shows whether there were any. Two texts for the same bytes
 * would be two tokens with one signature.
 */
export function decodeBase64url(text: string): Buffer | undefined {
  const bytes = Buffer.from(text, 'base64url');
  return bytes.toString('base64url') === text ? bytes : undefined;
}
