import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { absent, HOUR, newRawId, read, sessionValue, useFixture, type MakeSource, type SourceCapabilities } from './source-fixture.ts';

/** What is written is read, whatever it is made of. */
export function describeReads(make: MakeSource, capabilities: SourceCapabilities): void {
  describe('reads', () => {
    const fixture = useFixture(make);

    test('in the order asked, absent ones undefined, repeated ones repeated', async () => {
      const { source } = fixture;
      const [a, b, none] = [newRawId(), newRawId(), newRawId()];
      await source.save(a, sessionValue('a'), HOUR, 0);
      await source.save(b, sessionValue('b'), null, 0);
      const found = await source.get([b, none, a, b]);
      expect(found.map((session) => session?.rawId)).toEqual([b, undefined, a, b]);
      expect(found.map((session) => session?.value)).toEqual([sessionValue('b'), undefined, sessionValue('a'), sessionValue('b')]);
      expect(await source.get([])).toEqual([]);
    });

    test('times are of the clock of the source', async () => {
      const { source } = fixture;
      const rawId = newRawId();
      const before = await source.now();
      await source.save(rawId, sessionValue(), HOUR, 0);
      const session = await read(source, rawId);
      const after = await source.now();
      expect(session?.readAt).toBeGreaterThanOrEqual(before);
      expect(session?.readAt).toBeLessThanOrEqual(after);
      expect(session?.expireTime).toBeGreaterThanOrEqual(before + HOUR - 1);
      expect(session?.expireTime).toBeLessThanOrEqual(after + HOUR + 1);
    });

    test('values of every kind of text come back as they were', async () => {
      const { source } = fixture;
      const odd = ['{"a":"\\u0000"}', '\u0000', '"', "'", '\\', '\r\n\t', '😀', '\u2028', '\ufeff', '\ufffd', '$1', '{}', ' ', ':ended'];
      const values = fc.oneof(
        fc.constantFrom(...odd),
        fc.string({ unit: 'binary', minLength: 1 }),
        fc.string({ unit: 'grapheme', minLength: 1 }),
      );
      await fc.assert(
        fc.asyncProperty(fc.array(values, { minLength: 1, maxLength: 20 }), async (texts) => {
          const ids = texts.map(newRawId);
          await Promise.all(texts.map((text, i) => source.save(ids[i] ?? '', text, HOUR, 0)));
          expect((await source.get(ids)).map((session) => session?.value)).toEqual(texts);
        }),
        { numRuns: 20 },
      );
    });

    test('ids of every kind of text name one session each', async () => {
      const { source } = fixture;
      const own = newRawId();
      const ids = [
        ' ',
        '"',
        "'",
        '\n',
        '{',
        '}',
        '{a}',
        '{}',
        'a{b}c',
        'w{b}',
        '*',
        '?',
        '[a]',
        '\\',
        ':w',
        ':ended',
        'ü',
        '😀',
        '%41',
        'A',
      ].map((id) => id + own);
      for (const id of ids) await source.save(id, sessionValue(id), HOUR, 0);
      expect((await source.get(ids)).map((session) => session?.value)).toEqual(ids.map(sessionValue));
      for (const id of ids.slice(0, 10)) await source.end(id, HOUR, 0);
      expect((await source.get(ids)).map((session) => session?.ended)).toEqual(ids.map((_, i) => i < 10));
    });

    test('a value near the limit of the store, and many large ones at once', async () => {
      const { source } = fixture;
      const large = sessionValue('é'.repeat((capabilities.maxValueBytes - 200) / 2));
      const ids = Array.from({ length: 24 }, newRawId);
      await Promise.all(ids.map((id) => source.save(id, large, HOUR, 0)));
      const found = await source.get(ids);
      expect(found.map((session) => session?.rawId)).toEqual(ids);
      for (const session of found) expect(session?.value === large).toBe(true);
    });

    test('more ids than any store takes at once', async () => {
      const { source } = fixture;
      const ids = Array.from({ length: 1203 }, newRawId);
      const kept = ids.filter((_, i) => i % 100 === 0);
      await Promise.all(kept.map((id) => source.save(id, sessionValue(id), HOUR, 0)));
      const found = await source.get(ids);
      expect(found.map((session) => session?.rawId)).toEqual(ids.map((id, i) => (i % 100 === 0 ? id : undefined)));
    });

    test('a session past its expiry is absent, and can be written anew with a later version', async () => {
      const { source } = fixture;
      const rawId = newRawId();
      await source.save(rawId, sessionValue('old'), 40, 0);
      await absent(source, rawId);
      expect(await source.touch(rawId, HOUR, 0)).toEqual({ outcome: 'missing' });
      expect(await read(source, rawId)).toBeUndefined();
      expect(await source.save(rawId, sessionValue('new'), HOUR, 0)).toMatchObject({ outcome: 'applied', version: { epoch: 0, n: 2 } });
      expect(await read(source, rawId)).toMatchObject({ value: sessionValue('new'), version: { epoch: 0, n: 2 }, ended: false });
    });

    test('a life of no length is no session', async () => {
      const { source } = fixture;
      const [saved, put] = [newRawId(), newRawId()];
      for (const ttl of [0, -5]) expect(await source.save(saved, sessionValue(), ttl, 0)).toMatchObject({ outcome: 'applied' });
      expect(await source.put(put, sessionValue(), (await source.now()) - HOUR, { epoch: 1, n: 1 })).toMatchObject({ outcome: 'applied' });
      expect(await source.get([saved, put])).toEqual([undefined, undefined]);
      await source.save(saved, sessionValue(), HOUR, 0);
      expect(await source.touch(saved, 0, 0)).toMatchObject({ outcome: 'applied' });
      expect(await read(source, saved)).toBeUndefined();
    });

    test('what is no number of milliseconds is refused', async () => {
      const { source } = fixture;
      const rawId = newRawId();
      for (const ms of [Number.NaN, Infinity, 1e300]) {
        await expect(source.save(rawId, sessionValue(), ms, 0)).rejects.toMatchObject({ code: 'bad_request' });
        await expect(source.touch(rawId, ms, 0)).rejects.toMatchObject({ code: 'bad_request' });
        await expect(source.end(rawId, ms, 0)).rejects.toMatchObject({ code: 'bad_request' });
        await expect(source.put(rawId, sessionValue(), ms, { epoch: 0, n: 1 })).rejects.toMatchObject({ code: 'bad_request' });
      }
      expect(await read(source, rawId)).toBeUndefined();
    });
  });
}
