import { fieldsOfText, textOfFields } from '../../../legacy/spring/fields-text.ts';
import { readJavaObject } from '../../../legacy/java/object-stream.ts';
import { INTEGER_STREAM, LONG_STREAM } from '../number-streams.ts';
import type { SourceSave, SourceSession, SourceStore } from '../../../source/contract.ts';

/** How the fields of a session are serialised. */
export type Values = 'jdk' | 'json';

const TEXT = 'sessionAttr:text';
const CREATED = 1_700_000_000_000n;
const IDLE_SECONDS = 1800;

export function longField(values: Values, value: bigint): Buffer {
  if (values === 'json') return Buffer.from(String(value));
  const field = Buffer.concat([LONG_STREAM, Buffer.alloc(8)]);
  field.writeBigInt64BE(value, field.length - 8);
  return field;
}

export function integerField(values: Values, value: number): Buffer {
  if (values === 'json') return Buffer.from(String(value));
  const field = Buffer.concat([INTEGER_STREAM, Buffer.alloc(4)]);
  field.writeInt32BE(value, field.length - 4);
  return field;
}

/** A text as `ObjectOutputStream` writes it, or Jackson. */
export function textField(values: Values, text: string): Buffer {
  if (values === 'json') return Buffer.from(JSON.stringify(text));
  const bytes: number[] = [];
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit > 0 && unit < 0x80) bytes.push(unit);
    else if (unit < 0x800) bytes.push(0xc0 | (unit >> 6), 0x80 | (unit & 0x3f));
    else bytes.push(0xe0 | (unit >> 12), 0x80 | ((unit >> 6) & 0x3f), 0x80 | (unit & 0x3f));
  }
  const short = bytes.length < 65_536;
  const head = Buffer.alloc(short ? 7 : 13);
  head.writeUInt32BE(0xaced0005);
  head[4] = short ? 0x74 : 0x7c;
  if (short) head.writeUInt16BE(bytes.length, 5);
  else head.writeBigUInt64BE(BigInt(bytes.length), 5);
  return Buffer.concat([head, Buffer.from(bytes)]);
}

export function textOfField(values: Values, field: Buffer): string {
  const value = values === 'json' ? (JSON.parse(field.toString()) as unknown) : readJavaObject(field, { maxDepth: 1, maxNodes: 1 });
  if (typeof value !== 'string') throw new Error('the field is no text');
  return value;
}

/** A session with one text in it, as the source hands it over. */
export function valueOfText(values: Values, text: string): string {
  return textOfFields(
    new Map([
      ['creationTime', longField(values, CREATED)],
      ['maxInactiveInterval', integerField(values, IDLE_SECONDS)],
      [TEXT, textField(values, text)],
    ]),
  );
}

/** The text of {@link valueOfText}. */
function textOfValue(values: Values, value: string): string {
  return textOfField(values, fieldsOfText(value)?.get(TEXT) ?? Buffer.alloc(0));
}

/** A source of plain texts, each the one attribute of a session of Spring: what the conformance suite writes is any text. */
export function textSource(source: SourceStore, values: Values): SourceStore {
  const plain = (session: SourceSession): SourceSession =>
    session.ended ? session : { ...session, value: textOfValue(values, session.value) };
  return {
    ...(source.lives === undefined ? {} : { lives: source.lives }),
    describe: () => source.describe(),
    now: () => source.now(),
    partitions: () => source.partitions(),
    count: () => source.count(),
    close: () => source.close(),
    async scan(partition, cursor, limit, signal) {
      const page = await source.scan(partition, cursor, limit, signal);
      return { ...page, sessions: page.sessions.map(plain) };
    },
    get: async (rawIds) => (await source.get(rawIds)).map((session) => session && plain(session)),
    async save(rawId, text, ttlMs, epoch, identity): Promise<SourceSave> {
      const saved = await source.save(rawId, valueOfText(values, text), ttlMs, epoch, identity);
      return saved.outcome === 'differs' ? { ...saved, value: textOfValue(values, saved.value) } : saved;
    },
    touch: (rawId, ttlMs, epoch) => source.touch(rawId, ttlMs, epoch),
    end: (rawId, keepMs, epoch) => source.end(rawId, keepMs, epoch),
    put: (rawId, text, expireTime, version) => source.put(rawId, valueOfText(values, text), expireTime, version),
  };
}
