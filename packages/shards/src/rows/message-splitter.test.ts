import fc from 'fast-check';
import { expect, test } from 'vitest';
import { MessageSplitter } from './message-splitter.ts';

/** A message of the protocol: type, then the length of itself and its body. */
function message(type: string, body: Uint8Array): Buffer {
  const bytes = Buffer.alloc(5 + body.length);
  bytes.write(type, 'latin1');
  bytes.writeUInt32BE(4 + body.length, 1);
  bytes.set(body, 5);
  return bytes;
}

/** A DataRow with one column of text. */
function row(text: string): Buffer {
  const value = Buffer.from(text);
  const head = Buffer.alloc(6);
  head.writeInt16BE(1);
  head.writeInt32BE(value.length, 2);
  return message('D', Buffer.concat([head, value]));
}

/** `bytes` in pieces that end at these places. */
function pieces(bytes: Buffer, ends: readonly number[]): Buffer[] {
  const cuts = [0, ...ends.map((end) => end % (bytes.length + 1)).toSorted((a, b) => a - b), bytes.length];
  return cuts.slice(1).map((end, at) => bytes.subarray(cuts[at], end));
}

const other = fc.tuple(fc.constantFrom('2', 'C', 'N', 'S', 'T', 'A'), fc.uint8Array({ maxLength: 40 })).map(([type, body]) => ({
  text: undefined,
  bytes: message(type, body),
}));
const rowMessage = fc.string({ unit: 'grapheme', maxLength: 60 }).map((text) => ({ text, bytes: row(text) }));

test('rows go to their reader and everything else on as it came, however it is cut', () => {
  fc.assert(
    fc.property(fc.array(fc.oneof(rowMessage, other), { maxLength: 30 }), fc.array(fc.nat(), { maxLength: 40 }), (messages, ends) => {
      const passedOn: Buffer[] = [];
      const rows: string[] = [];
      const splitter = new MessageSplitter((bytes) => void passedOn.push(Buffer.from(bytes)));
      splitter.readBy((each) => void rows.push(each.text()));
      for (const piece of pieces(Buffer.concat(messages.map(({ bytes }) => bytes)), ends)) splitter.take(piece);
      expect(rows).toEqual(messages.flatMap(({ text }) => (text === undefined ? [] : [text])));
      expect(Buffer.concat(passedOn)).toEqual(Buffer.concat(messages.filter(({ text }) => text === undefined).map(({ bytes }) => bytes)));
    }),
  );
});

test('without a reader, and after the server was ready again, rows go to the driver', () => {
  const passedOn: Buffer[] = [];
  const rows: string[] = [];
  const splitter = new MessageSplitter((bytes) => void passedOn.push(Buffer.from(bytes)));
  const ready = message('Z', Buffer.from('I'));
  splitter.take(row('before'));
  splitter.readBy((each) => void rows.push(each.text()));
  splitter.take(Buffer.concat([row('ours'), ready, row('after')]));
  expect(rows).toEqual(['ours']);
  expect(Buffer.concat(passedOn)).toEqual(Buffer.concat([row('before'), ready, row('after')]));
});

test('a statement that is sent while the server is being ready gets its own rows', () => {
  const rows: string[] = [];
  const splitter: MessageSplitter = new MessageSplitter((bytes) => {
    if (bytes[0] === 0x5a) splitter.readBy((each) => void rows.push(`second ${each.text()}`));
  });
  splitter.readBy((each) => void rows.push(`first ${each.text()}`));
  splitter.take(Buffer.concat([row('a'), message('Z', Buffer.from('I')), row('b')]));
  expect(rows).toEqual(['first a', 'second b']);
});

test('a message in very many pieces is joined once', () => {
  const text = 'x'.repeat(1 << 20);
  const rows: string[] = [];
  const splitter = new MessageSplitter(() => undefined);
  splitter.readBy((each) => void rows.push(each.text()));
  const bytes = row(text);
  const concat = Buffer.concat.bind(Buffer);
  let joins = 0;
  Buffer.concat = (...args) => {
    joins++;
    return concat(...args);
  };
  try {
    for (let at = 0; at < bytes.length; at += 100) splitter.take(bytes.subarray(at, at + 100));
  } finally {
    Buffer.concat = concat;
  }
  expect(rows).toEqual([text]);
  expect(joins).toBeLessThanOrEqual(2);
});
