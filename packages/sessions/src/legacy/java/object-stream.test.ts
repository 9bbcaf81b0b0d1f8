import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { StructureFault } from '../structure-decoder.ts';
import { goldenFields } from '../spring/testing.ts';
import { readJavaObject } from './object-stream.ts';
import { PlainJava } from './plain.ts';

const limits = { maxDepth: 32, maxNodes: 100_000 };

const HEADER = 'aced0005';
const utf = (text: string): string => `${Buffer.byteLength(text).toString(16).padStart(4, '0')}${Buffer.from(text).toString('hex')}`;
const string = (text: string): string => `74${utf(text)}`;
const ref = (handle: number): string => `71${(0x7e0000 + handle).toString(16).padStart(8, '0')}`;
const int = (value: number): string => (value >>> 0).toString(16).padStart(8, '0');
/** A new class: name, flags, fields as they stand, superclass. */
const classOf = (name: string, flags: number, fields = '0000', superclass = '70', annotation = ''): string =>
  `72${utf(name)}${'00'.repeat(8)}${flags.toString(16).padStart(2, '0')}${fields}${annotation}78${superclass}`;
const read = (hex: string): unknown => readJavaObject(Buffer.from(HEADER + hex, 'hex'), limits);
const plain = (hex: string): unknown => new PlainJava(limits, () => undefined).plain(read(hex) as never);
const reasonOf = (hex: string): string => {
  try {
    plain(hex);
    return 'read';
  } catch (error) {
    if (error instanceof StructureFault) return error.reason;
    throw error;
  }
};

describe('the grammar of the stream', () => {
  test('values that stand alone', () => {
    expect(read('70')).toBeNull();
    expect(read(string('text'))).toBe('text');
    expect(read(`7979${string('after a reset')}`)).toBe('after a reset');
    expect(read(`7c${'00'.repeat(7)}03616263`)).toBe('abc');
    expect(read('740002c080')).toBe('\0');
    expect(plain(`7e${classOf('example.Colour', 0x12, '0000', classOf('java.lang.Enum', 0x12))}${string('RED')}`)).toBe('RED');
    expect(plain(`76${classOf('example.A', 2)}`)).toBe('example.A');
    expect(plain(`75${classOf('[S', 2)}${int(2)}0001ffff`)).toEqual([1, -1]);
  });

  test('fields of all types, of a class over those of its ancestor', () => {
    const fields = `0003${['Iwhole', 'Jlarge', 'Zyes'].map((each) => each.slice(0, 1).charCodeAt(0).toString(16) + utf(each.slice(1))).join('')}`;
    const parent = classOf('example.Parent', 2, `00014c${utf('whole')}${string('Ljava/lang/String;')}`);
    expect(plain(`73${classOf('example.Child', 2, fields, parent)}${string('parent')}${int(-1)}${'ff'.repeat(8)}01`)).toEqual({
      whole: -1,
      large: -1,
      yes: true,
    });
  });

  test('data of its own beside fields, in runs that are joined, and between objects', () => {
    // Two runs that are one: eight bytes of epoch milliseconds.
    expect(plain(`73${classOf('java.util.Date', 3)}77040000000077040000000178`)).toBe('1970-01-01T00:00:00.001Z');
    const list = `73${classOf('java.util.ArrayList', 3, `000149${utf('size')}`)}${int(2)}7704${int(2)}${string('a')}${string('b')}78`;
    expect(plain(list)).toEqual(['a', 'b']);
    expect(plain(`73${classOf('example.External', 0x0c)}7701aa7a${int(1)}bb${string('x')}78`)).toEqual({});
  });

  test('a back reference is the same value, also to one that is not finished', () => {
    const list = (items: string): string => `73${classOf('java.util.ArrayList', 3)}7704${int(1)}${items}78`;
    // Handle 0 is the class, 1 the list.
    const self = plain(list(ref(1))) as { target: unknown }[];
    expect(self[0]?.target).toBe(self);
    expect(plain(list(string('a') + ref(2)))).toEqual(['a', 'a']);
  });

  test('a proxy is its handler', () => {
    const proxy = `7d${int(1)}${utf('java.lang.Runnable')}7872${utf('java.lang.reflect.Proxy')}${'00'.repeat(8)}0200014c${utf('h')}${string('LH;')}7870`;
    expect(plain(`73${proxy}${string('handler')}`)).toEqual({ h: 'handler' });
  });
});

describe('what is hostile', () => {
  const deepLists = (levels: number): string =>
    `73${classOf('java.util.ArrayList', 3)}${`73${ref(0)}`.repeat(levels)}${'78'.repeat(levels + 1)}`;

  test.each([
    ['an empty stream', ''],
    ['two objects', '7070'],
    ['an unknown type code', '7f'],
    ['a text beyond its end', '74ffff'],
    ['a long text of a negative length', `7c${'ff'.repeat(8)}`],
    ['a long text of an absurd length', `7c7f${'ff'.repeat(7)}`],
    ['an array of a negative length', `75${classOf('[B', 2)}ffffffff`],
    ['an array of an absurd length', `75${classOf('[Ljava.lang.Object;', 2)}7fffffff`],
    ['an array of longs just beyond its end', `75${classOf('[J', 2)}${int(2)}${'00'.repeat(15)}`],
    ['an array of no array', `75${classOf('X', 2)}00000000`],
    ['a run of bytes of a negative length', `73${classOf('X', 3)}7affffffff78`],
    ['a handle that was not given out', ref(0)],
    ['a handle below the first', '7100000001'],
    ['a class where an object belongs', `73${classOf('X', 3)}${ref(0)}78`],
    ['an object where a class belongs', `73${classOf('X', 3)}${string('a')}73${ref(2)}78`],
    ['an object without a class', '7370'],
    ['a class of two ways', `73${classOf('X', 6)}78`],
    ['a field of an unknown type', `73${classOf('X', 2, `000158${utf('a')}`)}`],
    ['a class that descends from itself', `73${classOf('X', 2, '0000', ref(0))}`],
    ['a proxy of an absurd number of interfaces', `737d7fffffff`],
    ['a reset within an object', `73${classOf('X', 3)}7978`],
    ['a text that is no modified UTF-8', '740001ff'],
    ['a text that ends in the middle of a character', '740001c3'],
    ['an enumeration without a name', `7e${classOf('X', 0x12)}70`],
  ])('%s is malformed', (_, hex) => {
    expect(reasonOf(hex)).toBe('malformed');
  });

  test.each([
    ['the description of a class as a value', classOf('X', 2)],
    ['an exception of the writer', '7b'],
    ['a class whose data has no end', `73${classOf('X', 0x04)}00`],
  ])('%s is refused', (_, hex) => {
    expect(reasonOf(hex)).toBe('type_refused');
  });

  test('nesting is bounded, of objects, of classes and of what was passed over', () => {
    expect(reasonOf(deepLists(20))).toBe('read');
    expect(reasonOf(deepLists(40))).toBe('too_deep');
    const ancestors = Array.from({ length: 40 }, (_, i) => i).reduce((inner, i) => classOf(`C${i}`, 2, '0000', inner), '70');
    expect(reasonOf(`73${ancestors}`)).toBe('too_deep');
    // Lists of which each has only the one before in it, in the data of a class that nobody reads; then a way to the last.
    const passedOver = (lists: number): string => {
      const chain = Array.from({ length: lists }, (_, i) => `73${ref(0)}${i === 0 ? '' : ref(4 + i - 1)}78`).join('');
      return `73${classOf('java.util.ArrayList', 3)}73${classOf('X', 3)}${chain}78${ref(4 + lists - 1)}78`;
    };
    expect(reasonOf(passedOver(20))).toBe('read');
    expect(reasonOf(passedOver(1000))).toBe('too_deep');
  });

  test('sets of sets of the same, which to construct would take for ever, are read at once', () => {
    // Each holds the one below it twice: 2^28 visits for who follows them. The class has handle 0, the outermost set 1.
    const level = (handle: number): string => (handle === 29 ? string('end') : `73${ref(0)}${level(handle + 1)}${ref(handle + 1)}78`);
    expect(reasonOf(`73${classOf('java.util.HashSet', 3)}${level(2)}${ref(2)}78`)).toBe('read');
  });

  // 250 classes, each the ancestor of the next; then objects of the last, at six bytes each.
  const lineage = Array.from({ length: 250 }, (_, i) => `73${classOf(`C${i}`, 2, '0000', i === 0 ? '70' : ref(2 * i))}`).join('');
  const descendants = (count: number): string =>
    `75${classOf('[Ljava.lang.Object;', 2)}${int(250 + count)}${lineage}${`73${ref(2 + 2 * 249)}`.repeat(count)}`;

  test('each class of an object counts', () => {
    expect(reasonOf(descendants(10))).toBe('read');
    expect(reasonOf(descendants(200))).toBe('too_large');
  });

  test('half a MiB of anything is read or refused in linear time', () => {
    const bytes = 512 * 1024;
    const fill = (unit: string, head = ''): string => head + unit.repeat(Math.floor((bytes * 2 - head.length) / unit.length));
    const manyClasses = Array.from({ length: 5000 }, (_, i) => `73${classOf(`C${i}`, 2, '0000', i === 0 ? '70' : ref(2 * i))}`).join('');
    const attacks = [
      descendants(50_000),
      fill('70', `75${classOf('[Ljava.lang.Object;', 2)}${int(400_000)}`),
      fill(`73${ref(0)}`, `73${classOf('java.util.ArrayList', 3)}`),
      fill(`73${ref(0)}78`, `73${classOf('java.util.ArrayList', 3)}`),
      fill('770100', `73${classOf('java.util.Date', 3)}`),
      fill('7700', `73${classOf('java.util.Date', 3)}`),
      `75${classOf('[Ljava.lang.Object;', 2)}${int(5000)}${manyClasses}`,
    ];
    expect(reasonOf(fill('79'))).toBe('malformed');
    for (const attack of attacks) {
      const began = performance.now();
      expect(reasonOf(attack)).toMatch(/^too_(large|deep)$/);
      expect(performance.now() - began).toBeLessThan(5000);
    }
  });

  test('any bytes, and any damage to a real stream, are read or refused with a reason', () => {
    const real = [...goldenFields('indexed-jdk', 'ada')].filter(([name]) => name !== 'sessionAttr:long text').map(([, value]) => value);
    const streams = fc.oneof(
      fc.uint8Array({ maxLength: 200 }).map((tail) => Buffer.concat([Buffer.from(HEADER, 'hex'), tail])),
      fc
        .tuple(fc.constantFrom(...real), fc.array(fc.tuple(fc.nat(), fc.nat({ max: 255 })), { minLength: 1, maxLength: 5 }))
        .map(([stream, changes]) => {
          const bytes = Buffer.from(stream);
          for (const [at, byte] of changes) bytes[4 + (at % (bytes.length - 4))] = byte;
          return bytes;
        }),
    );
    fc.assert(
      fc.property(streams, (bytes) => {
        expect(reasonOf(bytes.subarray(4).toString('hex'))).toMatch(/^(read|malformed|too_deep|too_large|type_refused)$/);
      }),
      { numRuns: 3000 },
    );
  });
});
