import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { WherryError } from '@wherry/core';

/** Compared where no secret is configured, so that the comparison takes as long; nothing has it as its digest. */
const NOTHING = randomBytes(32);

/** Lets the bearer of the operator's secret through. */
export class OperatorGate {
  readonly #secret: Buffer | undefined;

  /** Without a secret nobody is let through. */
  constructor(secret: string | undefined) {
    this.#secret = secret === undefined ? undefined : digestOf(secret);
  }

  /**
   * Errors: `unauthenticated` without one header `Authorization: Bearer …` (RFC 6750 section 2.1), `forbidden` for
   * another secret and where none is configured.
   */
  check(request: IncomingMessage): void {
    // Of two headers node:http would show the first alone.
    const [header, ...others] = request.headersDistinct['authorization'] ?? [];
    const token = /^Bearer +([\x21-\x7e]+) *$/i.exec(header ?? '')?.[1];
    if (token === undefined || others.length > 0) throw new WherryError('unauthenticated', 'this needs an operator');
    const same = timingSafeEqual(digestOf(token), this.#secret ?? NOTHING);
    if (!same || this.#secret === undefined) throw new WherryError('forbidden', 'this needs an operator');
  }
}

function digestOf(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
