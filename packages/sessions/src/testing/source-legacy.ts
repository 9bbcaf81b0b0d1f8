import { describe, expect, test } from 'vitest';
import {
  HOUR,
  expectLife,
  newRawId,
  read,
  sessionValue,
  useFixture,
  type LegacySession,
  type MakeSource,
  type SourceCapabilities,
} from './source-fixture.ts';

/** The application's own store reads what is written here, and what it writes is read here. */
export function describeLegacyPeer(make: MakeSource, { plain = JSON.parse }: SourceCapabilities): void {
  describe('beside the application', () => {
    const fixture = useFixture(make);

    test('what the application writes is read, with its own expiry and no version', async () => {
      const { source, legacy } = fixture;
      const rawId = newRawId();
      const before = await source.now();
      const session = legacySession(HOUR, { user: { id: 7, name: 'Zoë "😀"\n' } });
      await legacy.set(rawId, session);
      const found = await read(source, rawId);
      expect(plain(found?.value ?? '')).toEqual(JSON.parse(JSON.stringify(session)));
      expect(found).toMatchObject({ rawId, version: { epoch: 0, n: 0 }, ended: false });
      expectLife(found, before, HOUR);
    });

    test('a session without a maximum age lives for the default of the store: one day', async () => {
      const { source, legacy } = fixture;
      const rawId = newRawId();
      const before = await source.now();
      await legacy.set(rawId, { cookie: { originalMaxAge: null }, text: 'until the browser closes' });
      expectLife(await read(source, rawId), before, 24 * HOUR);
    });

    test('its touch is seen, and leaves the version alone', async () => {
      const { source, legacy } = fixture;
      const rawId = newRawId();
      await source.save(rawId, sessionValue(), HOUR, 3);
      const before = await source.now();
      await legacy.touch(rawId, legacySession(2 * HOUR));
      const touched = await read(source, rawId);
      expectLife(touched, before, 2 * HOUR);
      expect(touched).toMatchObject({ value: sessionValue(), version: { epoch: 3, n: 1 } });
    });

    test('what it destroys is absent, for its touch as well', async () => {
      const { source, legacy } = fixture;
      const rawId = newRawId();
      await legacy.set(rawId, legacySession(HOUR));
      await legacy.destroy(rawId);
      expect(await read(source, rawId)).toBeUndefined();
      await legacy.touch(rawId, legacySession(HOUR));
      expect(await read(source, rawId)).toBeUndefined();
      expect(await source.touch(rawId, HOUR, 0)).toEqual({ outcome: 'missing' });
    });

    test('it reads what was saved and what was put', async () => {
      const { source, legacy } = fixture;
      const [saved, put, timeless] = [newRawId(), newRawId(), newRawId()];
      await source.save(saved, sessionValue('saved 😀'), HOUR, 0);
      await source.put(put, sessionValue('put'), (await source.now()) + HOUR, { epoch: 4, n: 2 });
      await source.put(timeless, sessionValue('timeless'), null, { epoch: 4, n: 2 });
      expect(await legacy.get(saved)).toMatchObject({ text: 'saved 😀' });
      expect(await legacy.get(put)).toMatchObject({ text: 'put' });
      expect(await legacy.get(timeless)).toMatchObject({ text: 'timeless' });
    });

    test('it does not read what was ended, nor what has expired', async () => {
      const { source, legacy } = fixture;
      const [ended, expired] = [newRawId(), newRawId()];
      await source.save(ended, sessionValue(), HOUR, 0);
      await source.end(ended, HOUR, 0);
      await source.save(expired, sessionValue(), -2000, 0);
      expect((await legacy.get(ended)) ?? null).toBeNull();
      expect((await legacy.get(expired)) ?? null).toBeNull();
    });
  });
}

function legacySession(maxAge: number, attributes: object = {}): LegacySession {
  return { cookie: { originalMaxAge: maxAge, expires: new Date(Date.now() + maxAge), maxAge }, ...attributes };
}
