import type { SessionCipher } from './cipher.ts';
import { documentOf, documentText } from './stored-text.ts';

/** How an application keeps what is in a session: as JSON text (`stringify` of connect-mongo, its default), or as a document. */
export type PayloadLayout = 'text' | 'document';

/** How a stored session is kept; undefined: in neither way. */
export function layoutOf(stored: unknown): PayloadLayout | undefined {
  if (typeof stored === 'string') return 'text';
  const isDocument = typeof stored === 'object' && stored !== null && !Array.isArray(stored) && !('_bsontype' in stored);
  return isDocument ? 'document' : undefined;
}

/** Turns what is stored into text and back. A text that is encrypted is handed over decrypted. */
export class SessionPayload {
  readonly #cipher: SessionCipher | undefined;

  constructor(cipher: SessionCipher | undefined) {
    this.#cipher = cipher;
  }

  /** What cannot be decrypted, or is kept in neither way, is handed over as it is: no decoder takes it for a session. */
  async read(stored: unknown): Promise<string> {
    if (typeof stored !== 'string') return documentText(stored);
    return this.#cipher === undefined ? stored : this.#decrypted(stored, this.#cipher);
  }

  /** With a cipher everything is text, whatever the layout. */
  async write(text: string, layout: PayloadLayout): Promise<unknown> {
    if (this.#cipher !== undefined) return this.#cipher.encrypt(text);
    return layout === 'document' ? (documentOf(text) ?? text) : text;
  }

  async #decrypted(stored: string, cipher: SessionCipher): Promise<string> {
    let plain: string;
    try {
      plain = await cipher.decrypt(stored);
    } catch {
      return stored;
    }
    return innerText(plain);
  }
}

/** One of connect-mongo's ciphers puts a JSON string around the text before it encrypts it. */
function innerText(plain: string): string {
  if (!plain.startsWith('"')) return plain;
  try {
    const inner = JSON.parse(plain) as unknown;
    return typeof inner === 'string' ? inner : plain;
  } catch {
    return plain;
  }
}
