import { blockOf } from './fields.ts';
import type { JavaObject } from './values.ts';

/** Kinds of `java.time.Ser`. */
const KIND = { DURATION: 1, INSTANT: 2, LOCAL_DATE: 3, LOCAL_TIME: 4, LOCAL_DATE_TIME: 5, ZONED: 6, OFFSET: 10 } as const;

/**
 * The ISO 8601 text of a time of `java.time`, which all write themselves through one class: a kind, then its parts
 * (java.time.Ser in the JDK). A duration is its seconds. Zones are left out but for what they make of the time of day.
 * undefined: another kind, or no time at all.
 */
export function javaTime(object: JavaObject): string | number | undefined {
  const block = blockOf(object, 2);
  if (block === undefined) return undefined;
  try {
    return timeOf(block);
  } catch (error) {
    // Bytes that end before the time does.
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

function timeOf(block: Buffer): string | number | undefined {
  switch (block.readUInt8(0)) {
    case KIND.DURATION:
      return Number(block.readBigInt64BE(1)) + block.readInt32BE(9) / 1e9;
    case KIND.INSTANT:
      return instant(block.readBigInt64BE(1), block.readInt32BE(9));
    case KIND.LOCAL_DATE:
      return localDate(block, 1);
    case KIND.LOCAL_TIME:
      return localTime(block, 1);
    case KIND.LOCAL_DATE_TIME:
    case KIND.ZONED:
    case KIND.OFFSET:
      return `${localDate(block, 1)}T${localTime(block, 7)}`;
    default:
      return undefined;
  }
}

function instant(seconds: bigint, nanos: number): string | undefined {
  const date = new Date(Number(seconds) * 1000);
  if (Number.isNaN(date.getTime())) return undefined;
  return `${date.toISOString().slice(0, -5)}${fraction(nanos)}Z`;
}

function localDate(block: Buffer, at: number): string {
  const year = block.readInt32BE(at);
  const text = String(Math.abs(year)).padStart(4, '0');
  return `${year < 0 ? '-' : ''}${text}-${two(block.readUInt8(at + 4))}-${two(block.readUInt8(at + 5))}`;
}

/** The last part that is not zero is written as its complement, and those after it not at all (java.time.LocalTime). */
function localTime(block: Buffer, at: number): string {
  const parts = [0, 0, 0];
  for (let i = 0; i < parts.length; i++) {
    const part = block.readInt8(at + i);
    parts[i] = part < 0 ? ~part : part;
    if (part < 0) return parts.map(two).join(':');
  }
  return parts.map(two).join(':') + fraction(block.readInt32BE(at + 3));
}

function two(part: number): string {
  return String(part).padStart(2, '0');
}

/** Nanoseconds behind a point, without the zeros at the end. */
function fraction(nanos: number): string {
  return nanos === 0 ? '' : `.${String(nanos).padStart(9, '0').replace(/0+$/, '')}`;
}
