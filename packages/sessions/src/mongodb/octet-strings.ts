const SEQUENCE = 0x30;
const OCTET_STRING = 0x04;

/** A SEQUENCE of OCTET STRINGs in DER (ITU-T X.690); texts as UTF-8. */
export function writeOctetStrings(parts: readonly (Buffer | string)[]): Buffer {
  return element(SEQUENCE, Buffer.concat(parts.map((part) => element(OCTET_STRING, Buffer.from(part)))));
}

/** Its parts; empty where the bytes are none. Nothing is copied, and no length leads out of the bytes. */
export function readOctetStrings(bytes: Buffer): readonly Buffer[] {
  const sequence = elementAt(bytes, 0);
  if (sequence?.tag !== SEQUENCE || sequence.end !== bytes.length) return [];
  const parts: Buffer[] = [];
  for (let at = sequence.start; at < bytes.length;) {
    const part = elementAt(bytes, at);
    if (part?.tag !== OCTET_STRING) return [];
    parts.push(bytes.subarray(part.start, part.end));
    at = part.end;
  }
  return parts;
}

function element(tag: number, content: Buffer): Buffer {
  return Buffer.concat([Buffer.from([tag]), lengthOf(content.length), content]);
}

/** Short form below 128, else the number of length bytes and those (X.690 section 8.1.3). */
function lengthOf(length: number): Buffer {
  if (length < 0x80) return Buffer.from([length]);
  const bytes: number[] = [];
  for (let rest = length; rest > 0; rest = Math.floor(rest / 256)) bytes.unshift(rest % 256);
  return Buffer.from([0x80 | bytes.length, ...bytes]);
}

function elementAt(bytes: Buffer, at: number): { readonly tag: number; readonly start: number; readonly end: number } | undefined {
  const tag = bytes[at];
  const first = bytes[at + 1];
  if (tag === undefined || first === undefined) return undefined;
  const lengthBytes = first < 0x80 ? 0 : first & 0x7f;
  const start = at + 2 + lengthBytes;
  if (lengthBytes > 4 || first === 0x80 || start > bytes.length) return undefined;
  const end = start + (lengthBytes === 0 ? first : bytes.readUIntBE(at + 2, lengthBytes));
  return end > bytes.length ? undefined : { tag, start, end };
}
