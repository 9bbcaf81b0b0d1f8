import type { SessionCipher } from './cipher.ts';
import { documentOf, documentText } from './stored-text.ts';

/** How an application keeps what is in a session: as JSON text (`stringify` of connect-mongo, its default), or as a document. */
export type PayloadLayout = 'text' | 'document';

/** Turns what is stored into text and back. A text that is encrypted is handed over decrypted. */
export class SessionPayload {
  readonly #cipher: SessionCipher | undefined;

  constructor(cipher: SessionCipher | undefined) {
    this.#cipher = cipher;
  }

  /** What cannot be decrypted, or is of no layout, is handed over as it is or as nothing: no decoder takes it for a session. */
  async read(stored: unknown): Promise<string> {
    if (typeof stored === 'object' && stored !== null && !Array.isArray(stored)) return documentText(stored);
    if (typeof stored !== 'string') return '';
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
