import { Opaque } from '../opaque.ts';
import { StructureFault } from '../structure-decoder.ts';

/** A type or function that a pickle names. It is a name here and nothing else. */
export class PickledName {
  readonly name: string;

  constructor(name: string) {
    this.name = name;
  }
}

/** Have no meaning here, but may lie in a session. */
const CLOSED = new Set([
  'datetime.date',
  'datetime.datetime',
  'datetime.time',
  'datetime.timedelta',
  'datetime.timezone',
  'decimal.Decimal',
  'zoneinfo.ZoneInfo._unpickle',
  '_codecs.encode',
  'builtins.bytearray',
  'builtins.bytes',
  'builtins.complex',
]);
const SETS = new Set(['builtins.set', 'builtins.frozenset']);
const DICTIONARY = 'collections.OrderedDict';

/** A name on the list of those that may be read. Errors: `type_refused` for any other, and it is not told which. */
export function allowedName(module: unknown, name: unknown): PickledName {
  const full = typeof module === 'string' && typeof name === 'string' ? `${module.replace('__builtin__', 'builtins')}.${name}` : '';
  if (CLOSED.has(full) || SETS.has(full) || full === DICTIONARY) return new PickledName(full);
  throw new StructureFault('type_refused', 'a type or function that is not on the list');
}

/** What stands for the result of a call, which is not made. */
export function madeBy(callee: unknown, args: unknown): unknown {
  if (!(callee instanceof PickledName) || !Array.isArray(args))
    throw new StructureFault('type_refused', 'a call of what is not on the list');
  if (callee.name === DICTIONARY && args.length === 0) return Object.create(null) as object;
  const [items] = args as readonly unknown[];
  if (SETS.has(callee.name)) return Array.isArray(items) ? (items as readonly unknown[]) : [];
  return new Opaque(callee.name);
}
