import { isUtf8 } from 'node:buffer';
import { Opaque } from '../opaque.ts';
import { StructureFault } from '../structure-decoder.ts';

/** More bytes than any id or number of an application has: what is longer stays closed, so that it costs nothing. */
const MAX_INTEGER_BYTES = 16;
const MAX_DIGITS = 40;

/** An integer in Python's two's complement, little-endian. */
export function integerOf(bytes: Buffer): number | bigint | Opaque {
  if (bytes.length > MAX_INTEGER_BYTES) return new Opaque('long integer');
  if (bytes.length === 0) return 0;
  const unsigned = BigInt(`0x${Buffer.from(bytes.toReversed()).toString('hex')}`);
  return narrowed(BigInt.asIntN(bytes.length * 8, unsigned));
}

/** An integer as the textual opcodes have it: `12`, `12L`. */
export function integerOfText(text: string): number | bigint | Opaque {
  const digits = text.endsWith('L') ? text.slice(0, -1) : text;
  if (digits.length > MAX_DIGITS) return new Opaque('long integer');
  if (!/^[+-]?\d+$/.test(digits)) throw new StructureFault('malformed', 'an integer is none');
  return narrowed(BigInt(digits.replace('+', '')));
}

/** A number as `repr` of Python writes it. */
export function floatOfText(text: string): number {
  const special: Readonly<Record<string, number>> = { inf: Infinity, '-inf': -Infinity, nan: NaN };
  const known = Object.hasOwn(special, text) ? special[text] : undefined;
  if (known !== undefined) return known;
  if (text.length > 400 || !/^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/.test(text))
    throw new StructureFault('malformed', 'a number is none');
  return Number(text);
}

/** Text in UTF-8. Python also writes halves of surrogate pairs, which no text column and no header takes. */
export function textOf(bytes: Buffer): string | Opaque {
  return isUtf8(bytes) ? bytes.toString('utf8') : new Opaque('bytes');
}

/** Text in the encoding `raw-unicode-escape`: Latin-1 with `\uXXXX` and `\UXXXXXXXX`. */
export function textOfRawEscapes(bytes: Buffer): string | Opaque {
  const text = bytes.toString('latin1').replaceAll(/\\u([0-9a-fA-F]{4})|\\U([0-9a-fA-F]{8})/g, (whole, four?: string, eight?: string) => {
    const code = Number.parseInt(four ?? eight ?? '', 16);
    return code <= 0x10ffff ? String.fromCodePoint(code) : whole;
  });
  return text.isWellFormed() ? text : new Opaque('bytes');
}

/** A quoted text of Python 2, whose bytes are taken for UTF-8. */
export function textOfQuoted(line: Buffer): string | Opaque {
  const text = line.toString('latin1');
  const quote = text.charAt(0);
  if (text.length < 2 || (quote !== "'" && quote !== '"') || !text.endsWith(quote))
    throw new StructureFault('malformed', 'a text is not quoted');
  const inner = text.slice(1, -1);
  // Anything but the escapes that `repr` writes stays closed.
  if (/\\(?![\\'"nrt]|x[0-9a-fA-F]{2})/.test(inner.replaceAll(/\\\\/g, ''))) return new Opaque('bytes');
  const bytes = inner.replaceAll(/\\(?:x([0-9a-fA-F]{2})|([^]))/g, (_whole, hex?: string, one = '') =>
    hex === undefined ? (ESCAPES[one] ?? one) : String.fromCharCode(Number.parseInt(hex, 16)),
  );
  return textOf(Buffer.from(bytes, 'latin1'));
}

const ESCAPES: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t' };

function narrowed(value: bigint): number | bigint {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}
