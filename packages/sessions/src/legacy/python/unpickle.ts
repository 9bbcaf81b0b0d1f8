import { ByteCursor } from '../byte-cursor.ts';
import { Opaque } from '../opaque.ts';
import { Reference } from '../reference.ts';
import { StructureFault, type StructureLimits } from '../structure-decoder.ts';
import { PickledName, allowedName, madeBy } from './pickle-types.ts';
import { floatOfText, integerOf, integerOfText, textOf, textOfQuoted, textOfRawEscapes } from './scalars.ts';

const STOP = '.';
const NEWEST_PROTOCOL = 5;

/**
 * Reads a pickle of protocols 0 to 5 as structure. Nothing is imported, made or called: the few types that may occur are
 * names, and what would be called stays closed. Lists, tuples and sets become arrays, dictionaries objects without a
 * prototype; what is taken from the memo again becomes a {@link Reference}. Each byte is looked at once. Source: CPython
 * Lib/pickletools.py.
 */
export function unpickle(bytes: Buffer, limits: StructureLimits): unknown {
  return new Unpickler(bytes, limits).run();
}

class Unpickler {
  readonly #input: ByteCursor;
  readonly #limits: StructureLimits;
  #stack: unknown[] = [];
  /** The stacks below the marks. */
  readonly #below: unknown[][] = [];
  readonly #memo = new Map<number, { readonly value: unknown }>();
  /** How deep each collection is. One is put into another once and never changed after that: see #again. */
  readonly #depths = new WeakMap<object, number>();
  #nodes = 0;

  constructor(bytes: Buffer, limits: StructureLimits) {
    this.#input = new ByteCursor(bytes);
    this.#limits = limits;
  }

  run(): unknown {
    for (;;) {
      const opcode = String.fromCharCode(this.#input.byte());
      if (opcode === STOP) break;
      this.#step(opcode);
    }
    const value = this.#pop();
    if (this.#stack.length > 0 || this.#below.length > 0 || !this.#input.done) throw malformed('something is left over');
    return value;
  }

  #step(opcode: string): void {
    if (!this.#scalar(opcode) && !this.#collection(opcode) && !this.#bookkeeping(opcode) && !this.#named(opcode))
      throw new StructureFault('type_refused', 'an opcode that is not on the list');
  }

  #scalar(opcode: string): boolean {
    const input = this.#input;
    switch (opcode) {
      case 'N':
        return this.#push(null);
      case '\x88':
        return this.#push(true);
      case '\x89':
        return this.#push(false);
      case 'I': {
        const text = input.line().toString('latin1');
        return this.#push(text === '01' ? true : text === '00' ? false : integerOfText(text));
      }
      case 'J':
        return this.#push(input.take(4).readInt32LE());
      case 'K':
        return this.#push(input.length(1));
      case 'M':
        return this.#push(input.length(2));
      case 'L':
        return this.#push(integerOfText(input.line().toString('latin1')));
      case '\x8a':
        return this.#push(integerOf(input.take(input.length(1))));
      case '\x8b':
        return this.#push(integerOf(input.take(input.length(4))));
      case 'F':
        return this.#push(floatOfText(input.line().toString('latin1')));
      case 'G':
        return this.#push(input.take(8).readDoubleBE());
      case 'S':
        return this.#push(textOfQuoted(input.line()));
      case 'T':
        return this.#push(textOf(input.take(input.length(4))));
      case 'U':
        return this.#push(textOf(input.take(input.length(1))));
      case 'V':
        return this.#push(textOfRawEscapes(input.line()));
      case 'X':
        return this.#push(textOf(input.take(input.length(4))));
      case '\x8c':
        return this.#push(textOf(input.take(input.length(1))));
      case '\x8d':
        return this.#push(textOf(input.take(input.length(8))));
      case 'C':
        return this.#bytes(input.length(1));
      case 'B':
        return this.#bytes(input.length(4));
      case '\x8e':
      case '\x96':
        return this.#bytes(input.length(8));
      default:
        return false;
    }
  }

  #bytes(length: number): boolean {
    this.#input.take(length);
    return this.#push(new Opaque('bytes'));
  }

  #collection(opcode: string): boolean {
    switch (opcode) {
      case ')':
      case ']':
      case '\x8f':
        return this.#push([]);
      case '}':
        return this.#push(Object.create(null));
      case '\x85':
        return this.#tuple(1);
      case '\x86':
        return this.#tuple(2);
      case '\x87':
        return this.#tuple(3);
      case 't':
      case 'l':
      case '\x91': {
        const items = this.#toMark();
        return this.#push(this.#filled([], items));
      }
      case 'd': {
        const items = this.#toMark();
        const members = Object.create(null) as object;
        this.#setItems(members, items);
        return this.#push(members);
      }
      case 'a': {
        const item = this.#pop();
        this.#append([item]);
        return true;
      }
      case 'e':
      case '\x90':
        this.#append(this.#toMark());
        return true;
      case 's': {
        const value = this.#pop();
        const key = this.#pop();
        this.#setItems(this.#top(), [key, value]);
        return true;
      }
      case 'u': {
        const items = this.#toMark();
        this.#setItems(this.#top(), items);
        return true;
      }
      default:
        return false;
    }
  }

  #bookkeeping(opcode: string): boolean {
    const input = this.#input;
    switch (opcode) {
      case '\x80':
        if (input.byte() > NEWEST_PROTOCOL) throw malformed('its protocol is newer than 5');
        return true;
      case '\x95':
        input.length(8);
        return true;
      case '(':
        this.#below.push(this.#stack);
        this.#stack = [];
        return true;
      case '0':
        this.#pop();
        return true;
      case '1':
        this.#toMark();
        return true;
      case '2':
        return this.#push(again(this.#top()));
      case 'p':
        return this.#remember(lineNumber(input.line()));
      case 'q':
        return this.#remember(input.length(1));
      case 'r':
        return this.#remember(input.length(4));
      case '\x94':
        return this.#remember(this.#memo.size);
      case 'g':
        return this.#recall(lineNumber(input.line()));
      case 'h':
        return this.#recall(input.length(1));
      case 'j':
        return this.#recall(input.length(4));
      default:
        return false;
    }
  }

  #named(opcode: string): boolean {
    switch (opcode) {
      case 'c':
        return this.#push(allowedName(this.#input.line().toString('latin1'), this.#input.line().toString('latin1')));
      case '\x93': {
        const name = this.#pop();
        return this.#push(allowedName(this.#pop(), name));
      }
      case 'R': {
        const args = this.#pop();
        return this.#push(madeBy(this.#pop(), args));
      }
      default:
        return false;
    }
  }

  #push(value: unknown): true {
    if (++this.#nodes > this.#limits.maxNodes) throw new StructureFault('too_large', `more than ${this.#limits.maxNodes} values`);
    this.#stack.push(value);
    return true;
  }

  #pop(): unknown {
    if (this.#stack.length === 0) throw malformed('a value is missing');
    return this.#stack.pop();
  }

  #top(): unknown {
    if (this.#stack.length === 0) throw malformed('a value is missing');
    return this.#stack.at(-1);
  }

  #toMark(): unknown[] {
    const items = this.#stack;
    const below = this.#below.pop();
    if (below === undefined) throw malformed('a mark is missing');
    this.#stack = below;
    return items;
  }

  #tuple(size: number): true {
    const items: unknown[] = [];
    for (let n = 0; n < size; n++) items.unshift(this.#pop());
    return this.#push(this.#filled([], items));
  }

  #append(items: readonly unknown[]): void {
    const list = this.#top();
    // A list from the memo stands for one that lies elsewhere already, and no pickler adds to it there.
    if (!Array.isArray(list)) throw malformed('what is added to is no list');
    this.#filled(list, items);
  }

  #filled(list: unknown[], items: readonly unknown[]): unknown[] {
    for (const item of items) {
      this.#holds(list, item);
      list.push(item);
    }
    return list;
  }

  #setItems(members: unknown, items: readonly unknown[]): void {
    if (!isDictionary(members) || items.length % 2 !== 0) throw malformed('what is set in is no dictionary');
    for (let at = 0; at < items.length; at += 2) {
      this.#holds(members, items[at + 1]);
      members[keyOf(items[at])] = items[at + 1];
    }
  }

  #holds(outer: object, inner: unknown): void {
    if (!Array.isArray(inner) && !isDictionary(inner)) return;
    const depth = (this.#depths.get(inner) ?? 1) + 1;
    if (depth > this.#limits.maxDepth) throw new StructureFault('too_deep', `nested deeper than ${this.#limits.maxDepth}`);
    if (depth > (this.#depths.get(outer) ?? 1)) this.#depths.set(outer, depth);
  }

  #remember(index: number): true {
    this.#memo.set(index, { value: this.#top() });
    return true;
  }

  #recall(index: number): true {
    const known = this.#memo.get(index);
    if (known === undefined) throw malformed('nothing lies in the memo there');
    return this.#push(again(known.value));
  }
}

/** A collection lies at one place; elsewhere a reference stands for it. So nothing holds itself, and nothing multiplies. */
function again(value: unknown): unknown {
  return Array.isArray(value) || isDictionary(value) ? new Reference({ value }) : value;
}

function isDictionary(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === null;
}

/** Keys that are neither text nor integer get a name that no path has. */
function keyOf(key: unknown): string {
  if (typeof key === 'string') return key;
  if (typeof key === 'number' || typeof key === 'bigint') return String(key);
  if (key instanceof PickledName) throw malformed('a key is a type');
  return `\u0000${typeof key}`;
}

function lineNumber(line: Buffer): number {
  const text = line.toString('latin1');
  if (!/^\d{1,10}$/.test(text)) throw malformed('a number of the memo is none');
  return Number(text);
}

function malformed(is: string): StructureFault {
  return new StructureFault('malformed', `no pickle: ${is}`);
}
