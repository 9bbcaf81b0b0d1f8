const LENGTH_BYTES = 4;

/** Names and contents of fields as the scripts take them, behind the name by which the session's user is found ('': none). */
export function packFields(indexName: string, fields: ReadonlyMap<string, Buffer>): Buffer {
  const parts: Buffer[] = [];
  const add = (part: Buffer): void => {
    const length = Buffer.alloc(LENGTH_BYTES);
    length.writeUInt32BE(part.length);
    parts.push(length, part);
  };
  add(Buffer.from(indexName));
  for (const [name, content] of fields) {
    add(Buffer.from(name));
    add(content);
  }
  return Buffer.concat(parts);
}

/** A session as a script has answered it. */
interface PackedSession {
  readonly fields: Map<string, Buffer>;
  /** The layout that the key's expiry shows: `indexed`, `plain`, or '' where it shows none. */
  readonly shape: string;
}

/** Takes apart what a script has answered. */
export function unpackFields(packed: Buffer): PackedSession {
  const parts: Buffer[] = [];
  for (let at = 0; at < packed.length;) {
    const start = at + LENGTH_BYTES;
    at = start + packed.readUInt32BE(at);
    parts.push(packed.subarray(start, at));
  }
  const fields = new Map<string, Buffer>();
  for (let i = 1; i + 1 < parts.length; i += 2) fields.set((parts[i] as Buffer).toString('utf8'), parts[i + 1] as Buffer);
  return { fields, shape: parts[0]?.toString() ?? '' };
}
