import { blockOf, fieldOf } from './fields.ts';
import { javaTime } from './times.ts';
import type { JavaObject } from './values.ts';

/** What one object of a known class stands for. */
type Scalar = string | number | bigint | boolean;

const BOXES: ReadonlySet<string> = new Set([
  'java.lang.Boolean',
  'java.lang.Byte',
  'java.lang.Character',
  'java.lang.Double',
  'java.lang.Float',
  'java.lang.Integer',
  'java.lang.Long',
  'java.lang.Short',
  'java.util.concurrent.atomic.AtomicBoolean',
  'java.util.concurrent.atomic.AtomicInteger',
  'java.util.concurrent.atomic.AtomicLong',
]);
/** Epoch milliseconds in a run of bytes. */
const DATES: ReadonlySet<string> = new Set(['java.util.Date', 'java.sql.Timestamp', 'java.sql.Date']);
/** Digits that one number may have: a number is made of its bytes in more than linear time. */
const MAX_NUMBER_BYTES = 128;

/** The number, text or time that an object stands for; undefined: it is none of those, or not as it ought to be. */
export function scalarOf(object: JavaObject): Scalar | undefined {
  const { name } = object.class;
  if (BOXES.has(name)) {
    const value = fieldOf(object, 'value');
    return typeof value === 'object' || value === undefined ? undefined : value;
  }
  if (DATES.has(name)) return dateText(object);
  switch (name) {
    case 'java.time.Ser':
      return javaTime(object);
    case 'java.util.UUID':
      return uuidText(object);
    case 'java.math.BigInteger':
      return bigInteger(object);
    case 'java.math.BigDecimal':
      return bigDecimal(object);
    default:
      return undefined;
  }
}

function dateText(object: JavaObject): string | undefined {
  const ms = blockOf(object, 8)?.readBigInt64BE(0);
  const date = ms === undefined ? undefined : new Date(Number(ms));
  return date === undefined || Number.isNaN(date.getTime()) ? undefined : date.toISOString();
}

function uuidText(object: JavaObject): string | undefined {
  const [most, least] = [fieldOf(object, 'mostSigBits'), fieldOf(object, 'leastSigBits')];
  if (typeof most !== 'bigint' || typeof least !== 'bigint') return undefined;
  const hex = [most, least].map((half) => BigInt.asUintN(64, half).toString(16).padStart(16, '0')).join('');
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
}

function bigInteger(object: JavaObject): bigint | undefined {
  const [sign, magnitude] = [fieldOf(object, 'signum'), fieldOf(object, 'magnitude')];
  if (typeof sign !== 'number' || typeof magnitude !== 'object' || magnitude?.kind !== 'array') return undefined;
  if (magnitude.class.name !== '[B' || magnitude.items.length > MAX_NUMBER_BYTES) return undefined;
  const hex = magnitude.items.map((byte) => (Number(byte) & 0xff).toString(16).padStart(2, '0')).join('');
  const value = BigInt(`0x0${hex}`);
  return sign < 0 ? -value : value;
}

function bigDecimal(object: JavaObject): string | undefined {
  const [scale, whole] = [fieldOf(object, 'scale'), fieldOf(object, 'intVal')];
  if (typeof scale !== 'number' || Math.abs(scale) > MAX_NUMBER_BYTES || typeof whole !== 'object' || whole?.kind !== 'object')
    return undefined;
  const unscaled = whole.class.name === 'java.math.BigInteger' ? bigInteger(whole) : undefined;
  if (unscaled === undefined) return undefined;
  if (scale <= 0) return String(unscaled * 10n ** BigInt(-scale));
  const digits = String(unscaled < 0n ? -unscaled : unscaled).padStart(scale + 1, '0');
  return `${unscaled < 0n ? '-' : ''}${digits.slice(0, -scale)}.${digits.slice(-scale)}`;
}
