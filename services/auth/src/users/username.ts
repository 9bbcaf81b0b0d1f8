import { createHash } from 'node:crypto';
import { slotOf, type SlotKey } from '@wherry/shards';

/** A name that a user can have. */
export interface Username {
  /** As it was written, composed (NFC). */
  readonly shown: string;
  /** What is compared: two names of the same canonical form are the same name. */
  readonly canonical: string;
  /** Where the name's row lies: slot and id follow from the canonical form. */
  readonly key: SlotKey;
}

/** Longest text that is looked at, in UTF-16 units. */
const MAX_INPUT = 256;
/** Counted in code points. */
const ALLOWED = /^[\p{L}\p{M}\p{N}._@+-]{1,64}$/u;
const STABLE_ROUNDS = 4;

/** What {@link readUsername} accepts, for people. */
export const USERNAME_RULE: string = '1 to 64 letters, digits, and the characters . _ @ + -';

/**
 * Reads a name: letters, marks, digits and `._@+-`. Width and case do not count (after RFC 8265 section 3.3), so that
 * nobody can take a name that looks like another's in that way. undefined: not a name that anybody can have.
 */
export function readUsername(text: string): Username | undefined {
  if (text.length === 0 || text.length > MAX_INPUT || !text.isWellFormed()) return undefined;
  const canonical = canonicalForm(text);
  if (canonical === undefined || !ALLOWED.test(canonical)) return undefined;
  return { shown: text.normalize('NFC'), canonical, key: nameKey(canonical) };
}

/** Folded until it stays the same: a form that could be folded further would be two forms of one name. */
function canonicalForm(text: string): string | undefined {
  let form = text;
  for (let round = 0; round < STABLE_ROUNDS; round++) {
    const folded = form.normalize('NFKC').toLowerCase().normalize('NFKC');
    if (folded === form) return form;
    form = folded;
  }
  return undefined;
}

function nameKey(canonical: string): SlotKey {
  const digest = createHash('sha256').update(canonical, 'utf8').digest();
  const id = digest.readBigUInt64BE(0) >> 1n;
  return { slot: slotOf(id), id };
}
