import { describe, expect, test } from 'vitest';
import { absent, expectLife, HOUR, newRawId, read, sessionValue, useFixture, type MakeSource } from './source-fixture.ts';

/** Versions, tombstones, and who may write over whom. */
export function describeWrites(make: MakeSource): void {
  describe('writes', () => {
    const fixture = useFixture(make);

    test('a save makes the next version in its epoch', async () => {
      const { source } = fixture;
      const rawId = newRawId();
      expect(await source.save(rawId, sessionValue('1'), HOUR, 0)).toMatchObject({ outcome: 'applied', version: { epoch: 0, n: 1 } });
      expect(await source.save(rawId, sessionValue('2'), HOUR, 0)).toMatchObject({ outcome: 'applied', version: { epoch: 0, n: 2 } });
      const third = await source.save(rawId, sessionValue('3'), HOUR, 5);
      expect(third).toMatchObject({ outcome: 'applied', version: { epoch: 5, n: 3 } });
      const session = await read(source, rawId);
      expect(session).toMatchObject({ rawId, value: sessionValue('3'), version: { epoch: 5, n: 3 }, ended: false });
      expect(Math.abs((session?.expireTime ?? 0) - (third.outcome === 'applied' ? (third.expireTime ?? 0) : 0))).toBeLessThanOrEqual(1);
    });

    test('a writer of an earlier epoch is refused and changes nothing', async () => {
      const { source } = fixture;
      const rawId = newRawId();
      await source.save(rawId, sessionValue('new owner'), HOUR, 3);
      const before = await read(source, rawId);
      expect(await source.save(rawId, sessionValue('stale'), 1, 2)).toEqual({ outcome: 'older', version: { epoch: 3, n: 1 } });
      expect(await source.touch(rawId, 1, 2)).toEqual({ outcome: 'older' });
      const after = await read(source, rawId);
      expect(after).toEqual({ ...before, readAt: after?.readAt });
    });

    test('a save over a session of another identity says whose it is, and is applied by who names that one', async () => {
      const { source } = fixture;
      const rawId = newRawId();
      const [one, two] = [{ mark: 'a1' }, { mark: 'b2' }];
      expect(await source.save(rawId, sessionValue('1'), HOUR, 1, one)).toMatchObject({ outcome: 'applied', version: { epoch: 1, n: 1 } });
      expect(await source.save(rawId, sessionValue('2'), HOUR, 1, one)).toMatchObject({ outcome: 'applied', version: { epoch: 1, n: 2 } });
      await source.touch(rawId, HOUR, 1);
      const before = await read(source, rawId);
      const differs = { outcome: 'differs', mark: 'a1', value: sessionValue('2') };
      for (const over of [undefined, '', 'c3', 'b2'])
        expect(await source.save(rawId, sessionValue('3'), HOUR, 1, { ...two, ...(over === undefined ? {} : { over }) })).toEqual(differs);
      const after = await read(source, rawId);
      expect(after).toEqual({ ...before, readAt: after?.readAt });
      expect(await source.save(rawId, sessionValue('3'), HOUR, 1, { ...two, over: 'a1' })).toMatchObject({ version: { epoch: 1, n: 3 } });
      expect(await source.save(rawId, sessionValue('4'), HOUR, 1, { ...one, over: 'a1' })).toMatchObject({
        outcome: 'differs',
        mark: 'b2',
      });
      expect(await source.save(rawId, sessionValue('4'), HOUR, 1, { ...one, over: 'b2' })).toMatchObject({ outcome: 'applied' });
      expect(await source.save(rawId, sessionValue('stale'), HOUR, 0, two)).toMatchObject({ outcome: 'older' });
      await source.end(rawId, HOUR, 1);
      expect(await source.save(rawId, sessionValue('5'), HOUR, 1, two)).toEqual({ outcome: 'ended' });
    });

    test('of a session that was saved or put without an identity none is known, and where none lives none matters', async () => {
      const { source, legacy } = fixture;
      const identity = { mark: 'a1' };
      const writers = [
        (rawId: string): Promise<unknown> => source.save(rawId, sessionValue('1'), HOUR, 1),
        (rawId: string): Promise<unknown> => source.put(rawId, sessionValue('1'), null, { epoch: 1, n: 1 }),
        (rawId: string): Promise<unknown> =>
          source
            .save(rawId, sessionValue('0'), HOUR, 1, identity)
            .then(() => source.put(rawId, sessionValue('1'), null, { epoch: 1, n: 9 })),
      ];
      for (const write of writers) {
        const rawId = newRawId();
        await write(rawId);
        const differs = { outcome: 'differs', mark: '', value: sessionValue('1') };
        expect(await source.save(rawId, sessionValue('2'), HOUR, 1, identity)).toEqual(differs);
        expect(await source.save(rawId, sessionValue('2'), HOUR, 1, { ...identity, over: 'b2' })).toEqual(differs);
        expect(await source.save(rawId, sessionValue('2'), HOUR, 1, { ...identity, over: '' })).toMatchObject({ outcome: 'applied' });
        expect(await source.save(rawId, sessionValue('3'), HOUR, 1, identity)).toMatchObject({ outcome: 'applied' });
        await source.touch(rawId, 0, 1);
        await absent(source, rawId);
        expect(await source.save(rawId, sessionValue('4'), HOUR, 1, { mark: 'c3' })).toMatchObject({ outcome: 'applied' });
      }
      const rawId = newRawId();
      await legacy.set(rawId, { cookie: { originalMaxAge: HOUR, expires: new Date(Date.now() + HOUR), maxAge: HOUR } });
      expect(await source.save(rawId, sessionValue(), HOUR, 0, identity)).toMatchObject({ outcome: 'differs', mark: '' });
    });

    test('a put is applied only when it is newer as a row', async () => {
      const { source } = fixture;
      const rawId = newRawId();
      const expireTime = (await source.now()) + HOUR;
      expect(await source.put(rawId, sessionValue('2.5'), expireTime, { epoch: 2, n: 5 })).toMatchObject({
        outcome: 'applied',
        version: { epoch: 2, n: 5 },
        expireTime,
      });
      expect(await read(source, rawId)).toMatchObject({ value: sessionValue('2.5'), expireTime, version: { epoch: 2, n: 5 } });
      for (const version of [
        { epoch: 2, n: 5 },
        { epoch: 2, n: 4 },
        { epoch: 1, n: 900 },
        { epoch: 0, n: 0 },
      ]) {
        expect(await source.put(rawId, sessionValue('older'), expireTime, version)).toEqual({
          outcome: 'older',
          version: { epoch: 2, n: 5 },
        });
      }
      expect(await source.put(rawId, sessionValue('2.10'), null, { epoch: 2, n: 10 })).toMatchObject({
        outcome: 'applied',
        expireTime: null,
      });
      expect(await source.put(rawId, sessionValue('3.1'), null, { epoch: 3, n: 1 })).toMatchObject({ outcome: 'applied' });
      expect(await read(source, rawId)).toMatchObject({ value: sessionValue('3.1'), expireTime: null, version: { epoch: 3, n: 1 } });
      expect(await source.save(rawId, sessionValue('back'), HOUR, 4)).toMatchObject({ outcome: 'applied', version: { epoch: 4, n: 2 } });
    });

    test('versions are whole up to 2^53', async () => {
      const { source } = fixture;
      const rawId = newRawId();
      const n = Number.MAX_SAFE_INTEGER - 2;
      await source.put(rawId, sessionValue(), null, { epoch: 1_000_000_007, n });
      expect(await source.save(rawId, sessionValue(), null, 1_000_000_007)).toMatchObject({ version: { epoch: 1_000_000_007, n: n + 1 } });
      expect((await read(source, rawId))?.version).toEqual({ epoch: 1_000_000_007, n: n + 1 });
    });

    test('the first put needs no version over nothing, and has one over something', async () => {
      const { source } = fixture;
      const rawId = newRawId();
      expect(await source.put(rawId, sessionValue('first'), null, { epoch: 0, n: 0 })).toMatchObject({ outcome: 'applied' });
      expect(await source.put(rawId, sessionValue('again'), null, { epoch: 0, n: 0 })).toEqual({
        outcome: 'older',
        version: { epoch: 0, n: 0 },
      });
      expect((await read(source, rawId))?.value).toBe(sessionValue('first'));
    });

    test('a put of the version that is known brings back what the source let expire, and nothing older does', async () => {
      const { source } = fixture;
      for (const made of ['saved', 'put'] as const) {
        const rawId = newRawId();
        const expireTime = (await source.now()) + HOUR;
        if (made === 'saved') await source.save(rawId, sessionValue('early'), HOUR, 3);
        else await source.put(rawId, sessionValue('early'), expireTime, { epoch: 3, n: 1 });
        const version = { epoch: 3, n: 1 };
        expect(await source.put(rawId, sessionValue('early'), expireTime, version)).toEqual({ outcome: 'older', version });
        await source.touch(rawId, 0, 3);
        await absent(source, rawId);
        for (const older of [
          { epoch: 3, n: 0 },
          { epoch: 2, n: 9 },
        ])
          expect(await source.put(rawId, sessionValue('older'), expireTime, older)).toEqual({ outcome: 'older', version });
        expect(await source.put(rawId, sessionValue('early'), expireTime, version)).toEqual({ outcome: 'applied', version, expireTime });
        expect(await read(source, rawId)).toMatchObject({ value: sessionValue('early'), expireTime, version, ended: false });
        expect(await source.put(rawId, sessionValue('early'), expireTime, version)).toEqual({ outcome: 'older', version });
        expect(await source.save(rawId, sessionValue('next'), HOUR, 3)).toMatchObject({ outcome: 'applied', version: { epoch: 3, n: 2 } });
      }
    });

    test('what the application wrote and let expire comes back by its first put, and by that put again', async () => {
      const { source, legacy } = fixture;
      const rawId = newRawId();
      const version = { epoch: 0, n: 0 };
      await legacy.set(rawId, { cookie: { originalMaxAge: HOUR, expires: new Date(Date.now() + HOUR), maxAge: HOUR } });
      for (const _ of [1, 2]) {
        await source.touch(rawId, 0, 0);
        await absent(source, rawId);
        expect(await source.put(rawId, sessionValue(), null, version)).toEqual({ outcome: 'applied', version, expireTime: null });
      }
    });

    test('a put whose time is over brings nothing back', async () => {
      const { source } = fixture;
      const rawId = newRawId();
      await source.save(rawId, sessionValue(), HOUR, 1);
      await source.touch(rawId, 0, 1);
      await absent(source, rawId);
      const over = (await source.now()) - 1;
      expect(await source.put(rawId, sessionValue(), over, { epoch: 1, n: 1 })).toMatchObject({ outcome: 'applied' });
      expect(await read(source, rawId)).toBeUndefined();
      expect(await source.touch(rawId, HOUR, 1)).toEqual({ outcome: 'missing' });
    });

    test('an end after the expiry forbids the same version as well', async () => {
      const { source } = fixture;
      const rawId = newRawId();
      await source.save(rawId, sessionValue(), HOUR, 1);
      await source.touch(rawId, 0, 1);
      await absent(source, rawId);
      await source.end(rawId, HOUR, 1);
      expect(await source.put(rawId, sessionValue(), null, { epoch: 1, n: 1 })).toEqual({ outcome: 'ended' });
      expect(await read(source, rawId)).toMatchObject({ ended: true });
    });

    test('a touch changes the expiry and nothing else', async () => {
      const { source } = fixture;
      const rawId = newRawId();
      await source.save(rawId, sessionValue(), HOUR, 1);
      for (const ttl of [2 * HOUR, HOUR / 2, null, HOUR]) {
        const before = await source.now();
        const touched = await source.touch(rawId, ttl, 1);
        const session = await read(source, rawId);
        expect(session).toMatchObject({ value: sessionValue(), version: { epoch: 1, n: 1 }, ended: false });
        if (ttl === null) {
          expect(touched).toEqual({ outcome: 'applied', expireTime: null });
          expect(session?.expireTime).toBeNull();
        } else {
          expectLife(session, before, ttl);
          expect(
            Math.abs((touched.outcome === 'applied' ? (touched.expireTime ?? 0) : 0) - (session?.expireTime ?? 0)),
          ).toBeLessThanOrEqual(1);
        }
      }
      expect(await source.touch(newRawId(), HOUR, 1)).toEqual({ outcome: 'missing' });
    });

    test('an ended session stays ended, whatever comes after', async () => {
      const { source } = fixture;
      const [lived, never] = [newRawId(), newRawId()];
      await source.save(lived, sessionValue(), HOUR, 7);
      // A log-out is honoured from a writer of any epoch.
      for (const rawId of [lived, never]) await source.end(rawId, HOUR, 2);
      await source.end(lived, HOUR, 2);
      for (const rawId of [lived, never]) {
        expect(await source.save(rawId, sessionValue(), HOUR, 9)).toEqual({ outcome: 'ended' });
        expect(await source.put(rawId, sessionValue(), null, { epoch: 900, n: 900 })).toEqual({ outcome: 'ended' });
        expect(await source.touch(rawId, HOUR, 9)).toEqual({ outcome: 'ended' });
        expect(await read(source, rawId)).toMatchObject({ rawId, value: '', ended: true });
      }
      expect((await read(source, lived))?.version.epoch).toBe(7);
      expect((await read(source, never))?.version.epoch).toBe(2);
    });

    test('a tombstone lasts as long as it was asked to, and a shorter one does not cut it', async () => {
      const { source } = fixture;
      const rawId = newRawId();
      await source.save(rawId, sessionValue(), HOUR, 0);
      const before = await source.now();
      await source.end(rawId, HOUR, 0);
      await source.end(rawId, 10, 0);
      expectLife(await read(source, rawId), before, HOUR);
    });

    test('when the tombstone has gone, the id is free', async () => {
      const { source } = fixture;
      const rawId = newRawId();
      await source.save(rawId, sessionValue(), HOUR, 0);
      await source.end(rawId, 50, 0);
      await absent(source, rawId);
      expect(await source.touch(rawId, HOUR, 0)).toEqual({ outcome: 'missing' });
      expect(await source.save(rawId, sessionValue('anew'), HOUR, 0)).toMatchObject({ outcome: 'applied' });
      expect(await read(source, rawId)).toMatchObject({ value: sessionValue('anew'), ended: false });
    });
  });
}
