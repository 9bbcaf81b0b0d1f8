import { isUtf8 } from 'node:buffer';
import { Opaque } from '../opaque.ts';
import { StructureFault, type StructureLimits } from '../structure-decoder.ts';

/** A map in MessagePack (github.com/msgpack/msgpack, spec.md). Bytes and extension types stay closed. Throws {@link StructureFault}. */
export function msgpackSession(bytes: Buffer, limits: StructureLimits): object {
  const reader = new MsgpackReader(bytes, limits);
  const value = reader.value(1);
  if (!reader.done) throw malformed('something is left over');
  if (typeof value !== 'object' || value === null || Object.getPrototypeOf(value) !== null)
    throw new StructureFault('not_a_session', 'the value is no map');
  return value;
}

class MsgpackReader {
  readonly #bytes: Buffer;
  readonly #limits: StructureLimits;
  #at = 0;
  #nodes = 0;

  constructor(bytes: Buffer, limits: StructureLimits) {
    this.#bytes = bytes;
    this.#limits = limits;
  }

  get done(): boolean {
    return this.#at === this.#bytes.length;
  }

  value(depth: number): unknown {
    if (++this.#nodes > this.#limits.maxNodes) throw new StructureFault('too_large', `more than ${this.#limits.maxNodes} values`);
    const code = this.#take(1).readUInt8();
    if (code <= 0x7f) return code;
    if (code <= 0x8f) return this.#map(code & 0x0f, depth);
    if (code <= 0x9f) return this.#array(code & 0x0f, depth);
    if (code <= 0xbf) return this.#text(code & 0x1f);
    if (code >= 0xe0) return code - 0x100;
    return this.#coded(code, depth);
  }

  #coded(code: number, depth: number): unknown {
    switch (code) {
      case 0xc0:
        return null;
      case 0xc2:
        return false;
      case 0xc3:
        return true;
      case 0xc4:
      case 0xc5:
      case 0xc6:
        return this.#closed(this.#length(code - 0xc4), 'bytes');
      case 0xc7:
      case 0xc8:
      case 0xc9:
        return this.#closed(this.#length(code - 0xc7) + 1, 'extension');
      case 0xca:
        return this.#take(4).readFloatBE();
      case 0xcb:
        return this.#take(8).readDoubleBE();
      case 0xcc:
      case 0xcd:
      case 0xce:
        return this.#length(code - 0xcc);
      case 0xcf:
        return narrowed(this.#take(8).readBigUInt64BE());
      case 0xd0:
        return this.#take(1).readInt8();
      case 0xd1:
        return this.#take(2).readInt16BE();
      case 0xd2:
        return this.#take(4).readInt32BE();
      case 0xd3:
        return narrowed(this.#take(8).readBigInt64BE());
      case 0xd4:
      case 0xd5:
      case 0xd6:
      case 0xd7:
      case 0xd8:
        return this.#closed(2 ** (code - 0xd4) + 1, 'extension');
      case 0xd9:
      case 0xda:
      case 0xdb:
        return this.#text(this.#length(code - 0xd9));
      case 0xdc:
      case 0xdd:
        return this.#array(this.#length(code - 0xdc + 1), depth);
      case 0xde:
      case 0xdf:
        return this.#map(this.#length(code - 0xde + 1), depth);
      default:
        throw malformed('a byte that begins no value');
    }
  }

  /** A number of 1, 2 or 4 bytes, by its power of two. */
  #length(power: number): number {
    const size = 2 ** power;
    return this.#take(size).readUIntBE(0, size);
  }

  #take(length: number): Buffer {
    if (length > this.#bytes.length - this.#at) throw malformed('it ends too early');
    const taken = this.#bytes.subarray(this.#at, this.#at + length);
    this.#at += length;
    return taken;
  }

  #closed(length: number, kind: string): Opaque {
    this.#take(length);
    return new Opaque(kind);
  }

  #text(length: number): string | Opaque {
    const bytes = this.#take(length);
    return isUtf8(bytes) ? bytes.toString('utf8') : new Opaque('bytes');
  }

  /** A count that is made up ends with the input: each item takes a byte. */
  #array(count: number, depth: number): unknown[] {
    this.#deeper(depth);
    const items: unknown[] = [];
    for (let n = 0; n < count; n++) items.push(this.value(depth + 1));
    return items;
  }

  #map(count: number, depth: number): object {
    this.#deeper(depth);
    const members = Object.create(null) as Record<string, unknown>;
    for (let n = 0; n < count; n++) {
      const key = this.value(depth + 1);
      // Keys that are neither text nor integer get a name that no path has.
      const name = typeof key === 'string' || typeof key === 'number' || typeof key === 'bigint' ? String(key) : `\u0000${typeof key}`;
      members[name] = this.value(depth + 1);
    }
    return members;
  }

  #deeper(depth: number): void {
    if (depth > this.#limits.maxDepth) throw new StructureFault('too_deep', `nested deeper than ${this.#limits.maxDepth}`);
  }
}

function narrowed(value: bigint): number | bigint {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}

function malformed(is: string): StructureFault {
  return new StructureFault('malformed', `no MessagePack: ${is}`);
}
