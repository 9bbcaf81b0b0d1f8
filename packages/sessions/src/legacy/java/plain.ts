import { Opaque } from '../opaque.ts';
import { Reference } from '../reference.ts';
import { StructureFault, type StructureLimits } from '../structure-decoder.ts';
import { entriesOf, innerOf, itemsOf } from './collections.ts';
import { scalarOf } from './scalars.ts';
import type { JavaObject, JavaReferable, JavaValue } from './values.ts';

/** A plain value: what stands for a Java value in reports and for the paths of a mapping. */
type Plain = unknown;

/** What may be made of the fields of an object besides what they are, e.g. a name that its class would compute. */
export type Enrich = (className: string, members: Record<string, Plain>) => void;

/** Fills in a value that others may refer to already. */
interface Holder {
  value: Plain;
}

/**
 * Turns Java values into plain ones: boxed numbers, texts, dates (ISO 8601) and ids into what they mean, collections
 * into arrays, maps into objects by the text of their keys, any other object into its fields, those of a class over those
 * of its ancestors. Each value is walked once; where it occurs again stands a {@link Reference}. Throws `StructureFault`.
 */
export class PlainJava {
  readonly #enrich: Enrich;
  readonly #maxDepth: number;
  readonly #seen = new Map<JavaReferable, Holder>();
  #depth = 0;

  constructor({ maxDepth }: Pick<StructureLimits, 'maxDepth'>, enrich: Enrich) {
    this.#enrich = enrich;
    this.#maxDepth = maxDepth;
  }

  plain(value: JavaValue): Plain {
    if (typeof value === 'bigint') return wholeNumber(value);
    if (typeof value !== 'object' || value === null) return value;
    const seen = this.#seen.get(value);
    if (seen !== undefined) return isWalkable(seen.value) ? new Reference(seen) : seen.value;
    const holder: Holder = { value: PENDING };
    this.#seen.set(value, holder);
    // Not bounded by the depth of the stream: what was passed over in it may be a chain of back references.
    if (++this.#depth > this.#maxDepth) throw new StructureFault('too_deep', `nested deeper than ${this.#maxDepth}`);
    holder.value = this.#referable(value, holder);
    this.#depth--;
    return holder.value;
  }

  #referable(value: JavaReferable, holder: Holder): Plain {
    switch (value.kind) {
      case 'enum':
        return value.constant;
      case 'type':
        return value.class.name;
      case 'array':
        return value.class.name === '[B' ? new Opaque('bytes') : this.#list(value.items, holder);
      case 'object':
        return this.#object(value, holder);
    }
  }

  #object(object: JavaObject, holder: Holder): Plain {
    const scalar = scalarOf(object);
    if (scalar !== undefined) return typeof scalar === 'bigint' ? wholeNumber(scalar) : scalar;
    const inner = innerOf(object);
    if (inner !== undefined) return this.plain(inner);
    const items = itemsOf(object);
    if (items !== undefined) return this.#list(items, holder);
    const entries = entriesOf(object);
    const members: Record<string, Plain> = {};
    holder.value = members;
    if (entries !== undefined) {
      for (const [key, value] of entries) define(members, keyText(this.plain(key)), this.plain(value));
      return members;
    }
    for (const { fields } of object.data) for (const [name, value] of fields) define(members, name, this.plain(value));
    this.#enrich(object.class.name, members);
    return members;
  }

  #list(items: readonly JavaValue[], holder: Holder): Plain[] {
    const list: Plain[] = [];
    holder.value = list;
    for (const item of items) list.push(this.plain(item));
    return list;
  }
}

const PENDING: object = {};

function isWalkable(value: Plain): boolean {
  return typeof value === 'object' && value !== null && !(value instanceof Opaque);
}

function wholeNumber(value: bigint): Plain {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}

/** Sets an own member, whatever it is called. */
export function define(members: Record<string, Plain>, name: string, value: Plain): void {
  Object.defineProperty(members, name, { value, enumerable: true, configurable: true, writable: true });
}

/** Keys that are neither texts nor numbers have no name that a path could hold. */
function keyText(key: Plain): string {
  return typeof key === 'object' && key !== null ? '*' : String(key);
}
