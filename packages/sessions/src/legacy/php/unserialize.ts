import { isUtf8 } from 'node:buffer';
import { Opaque } from '../opaque.ts';
import { Reference } from '../reference.ts';
import { StructureFault, type StructureLimits } from '../structure-decoder.ts';

/** A slot of PHP's table of values, which `r:` and `R:` count by. */
interface Slot {
  value: unknown;
}

const MAX_INT = 2n ** 63n - 1n;
const DIGITS_MAX = 20;

/**
 * Reads what PHP's `serialize` writes, as structure: no class is looked for, nothing is called. Lists become arrays, other
 * arrays and the properties of objects become objects without a prototype; integers past 2^53 become bigints; text that is
 * no UTF-8, and objects in a form of their own (`C:`), become {@link Opaque}. What occurs again becomes a {@link Reference}.
 * Each byte is looked at once. Source: php-src ext/standard/var_unserializer.re.
 */
export class PhpUnserializer {
  readonly #bytes: Buffer;
  readonly #limits: StructureLimits;
  readonly #slots: Slot[] = [];
  #at = 0;
  #nodes = 0;
  /** An object in a form of its own was passed over. Values in it may count as well, so what a later reference means is not known. */
  #uncounted = false;

  constructor(bytes: Buffer, limits: StructureLimits) {
    this.#bytes = bytes;
    this.#limits = limits;
  }

  get at(): number {
    return this.#at;
  }

  get done(): boolean {
    return this.#at === this.#bytes.length;
  }

  /** Takes so many bytes from before the next value. */
  take(length: number): Buffer {
    if (length > this.#bytes.length - this.#at) throw malformed('it ends too early');
    const taken = this.#bytes.subarray(this.#at, this.#at + length);
    this.#at += length;
    return taken;
  }

  /** The next value. Values of one reader count in one table, as those of one session do. */
  value(depth = 1): unknown {
    if (++this.#nodes > this.#limits.maxNodes) throw new StructureFault('too_large', `more than ${this.#limits.maxNodes} values`);
    const type = this.take(2).toString('latin1');
    if (type === 'R:') return this.#reference(this.#slots.length);
    // A value is counted before it is read: what it holds comes after it.
    const slot: Slot = { value: undefined };
    this.#slots.push(slot);
    slot.value = this.#valueOf(type, slot, depth);
    return slot.value;
  }

  #valueOf(type: string, slot: Slot, depth: number): unknown {
    switch (type) {
      case 'N;':
        return null;
      case 'b:':
        return this.#boolean();
      case 'i:':
        return this.#integer(';');
      case 'd:':
        return this.#double();
      case 's:': {
        const text = textOf(this.#quoted());
        this.#expect(';');
        return text;
      }
      case 'E:': {
        const name = textOf(this.#quoted());
        this.#expect(';');
        return name;
      }
      case 'r:':
        return this.#reference(this.#slots.length - 1);
      case 'a:':
        return this.#array(slot, this.#deeper(depth));
      case 'O:':
        return this.#object(slot, this.#deeper(depth));
      case 'C:':
        return this.#custom();
      default:
        throw malformed('a value begins with a letter that PHP does not write');
    }
  }

  #deeper(depth: number): number {
    if (depth > this.#limits.maxDepth) throw new StructureFault('too_deep', `nested deeper than ${this.#limits.maxDepth}`);
    return depth + 1;
  }

  #array(slot: Slot, depth: number): unknown {
    const count = this.#length();
    this.#expect(':{');
    const members = empty();
    slot.value = members;
    let isList = true;
    for (let n = 0; n < count; n++) {
      const key = this.#key();
      isList &&= key === n;
      members[String(key)] = this.value(depth);
    }
    this.#expect('}');
    return isList ? Object.values(members) : members;
  }

  #object(slot: Slot, depth: number): unknown {
    const owner = `\u0000${this.#quoted().toString('latin1')}\u0000`;
    this.#expect(':');
    const count = this.#length();
    this.#expect(':{');
    const members = empty();
    slot.value = members;
    for (let n = 0; n < count; n++) {
      const key = String(this.#key());
      const name = propertyName(key);
      const value = this.value(depth);
      // A class and its parent may each have a private property of one name: what the class itself sees counts.
      const own = !key.startsWith('\u0000') || key.startsWith('\u0000*\u0000') || key.startsWith(owner);
      if (own || !(name in members)) members[name] = value;
    }
    this.#expect('}');
    return members;
  }

  #custom(): Opaque {
    this.#quoted();
    this.#expect(':');
    const length = this.#length();
    this.#expect(':{');
    this.take(length);
    this.#expect('}');
    this.#uncounted = true;
    return new Opaque('object in a form of its own');
  }

  #key(): number | bigint | string {
    const type = this.take(2).toString('latin1');
    if (type === 'i:') return this.#integer(';');
    if (type !== 's:') throw malformed('a key is neither text nor integer');
    const bytes = this.#quoted();
    this.#expect(';');
    // Two keys that are no text must not become one, and no path names them.
    return isUtf8(bytes) ? bytes.toString('utf8') : `\u0000${bytes.toString('base64')}`;
  }

  /** The value of an earlier slot; the one that is being read has none yet. */
  #reference(before: number): unknown {
    if (this.#uncounted) throw new StructureFault('type_refused', 'a reference after an object in a form of its own');
    const number = this.#integer(';');
    const slot = typeof number === 'number' && number >= 1 && number <= before ? this.#slots[number - 1] : undefined;
    if (slot === undefined) throw malformed('a reference leads nowhere');
    const { value } = slot;
    return typeof value === 'object' && value !== null && !(value instanceof Reference) ? new Reference(slot) : value;
  }

  /** `LENGTH:"bytes"`. */
  #quoted(): Buffer {
    const length = this.#length();
    this.#expect(':"');
    const bytes = this.take(length);
    this.#expect('"');
    return bytes;
  }

  #boolean(): boolean {
    const text = this.take(2).toString('latin1');
    if (text !== '1;' && text !== '0;') throw malformed('a boolean is neither 0 nor 1');
    return text === '1;';
  }

  /** No length is longer than what is left, so nothing is ever set aside for one that is made up. */
  #length(): number {
    let length = 0;
    const start = this.#at;
    for (let code = this.#bytes[this.#at]; code !== undefined && code >= 0x30 && code <= 0x39; code = this.#bytes[++this.#at]) {
      length = length * 10 + code - 0x30;
      if (length > this.#bytes.length) throw malformed('a length is longer than the text');
    }
    if (this.#at === start) throw malformed('a length is no number');
    return length;
  }

  #integer(end: string): number | bigint {
    const text = this.#until(end, DIGITS_MAX);
    if (!/^[+-]?\d+$/.test(text)) throw malformed('an integer is none');
    const number = Number(text);
    if (Number.isSafeInteger(number)) return number;
    const exact = BigInt(text.startsWith('+') ? text.slice(1) : text);
    if (exact > MAX_INT || exact < -MAX_INT - 1n) throw malformed('an integer has more than 64 bits');
    return exact;
  }

  #double(): number {
    const text = this.#until(';', 400);
    if (text === 'INF') return Infinity;
    if (text === '-INF') return -Infinity;
    if (text === 'NAN') return NaN;
    if (!/^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/.test(text)) throw malformed('a number is none');
    return Number(text);
  }

  /** Text up to `end`, which has to come within `most` characters. */
  #until(end: string, most: number): string {
    const found = this.#bytes.subarray(this.#at, this.#at + most + 1).indexOf(end, 0, 'latin1');
    if (found < 0) throw malformed('a number does not end');
    const text = this.take(found).toString('latin1');
    this.#at++;
    return text;
  }

  #expect(text: string): void {
    if (this.take(text.length).toString('latin1') !== text) throw malformed('a sign is missing');
  }
}

/** The name of a property as the program writes it: `\0*\0name` is protected, `\0Class\0name` private. */
function propertyName(key: string): string {
  return key.startsWith('\u0000') ? key.slice(key.indexOf('\u0000', 1) + 1) : key;
}

function textOf(bytes: Buffer): string | Opaque {
  return isUtf8(bytes) ? bytes.toString('utf8') : new Opaque('bytes');
}

/** Has no prototype: a member `__proto__` is one like any other. */
function empty(): Record<string, unknown> {
  return Object.create(null) as Record<string, unknown>;
}

function malformed(is: string): StructureFault {
  return new StructureFault('malformed', `not as PHP serialises: ${is}`);
}
