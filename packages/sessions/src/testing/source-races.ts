import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { compareVersions, type SessionVersion } from '../record.ts';
import type { SourceStore, SourceSave, SourceTouch } from '../source/contract.ts';
import { HOUR, newRawId, read, sessionValue, useFixture, type MakeSource } from './source-fixture.ts';

const WRITERS = 16;
const numbers = Array.from({ length: WRITERS }, (_, i) => i + 1);

/** Many at once, and long random histories against the rules in their shortest form. */
export function describeRaces(make: MakeSource): void {
  describe('concurrent writers', () => {
    const fixture = useFixture(make);

    test('each save gets a version of its own, and the last version has its value', async () => {
      const { source } = fixture;
      const rawId = newRawId();
      const saves = await Promise.all(numbers.map((i) => source.save(rawId, sessionValue(`writer ${i}`), HOUR, 0)));
      const made = saves.map((save) => (save.outcome === 'applied' ? save.version.n : -1));
      expect(made.toSorted((a, b) => a - b)).toEqual(numbers);
      const last = await read(source, rawId);
      expect(last?.version.n).toBe(WRITERS);
      expect(last?.value).toBe(sessionValue(`writer ${made.indexOf(WRITERS) + 1}`));
    });

    test('of puts in any order the newest stays', async () => {
      const { source } = fixture;
      const rawId = newRawId();
      const order = numbers.toSorted((a, b) => ((a * 7) % WRITERS) - ((b * 7) % WRITERS));
      await Promise.all(order.map((n) => source.put(rawId, sessionValue(`n ${n}`), null, { epoch: n % 2, n })));
      const newest = numbers
        .map((n) => ({ epoch: n % 2, n }))
        .toSorted(compareVersions)
        .at(-1);
      expect(await read(source, rawId)).toMatchObject({ version: newest, value: sessionValue(`n ${newest?.n}`) });
    });

    test('nothing that runs against an end brings the session back', async () => {
      const { source } = fixture;
      for (let round = 0; round < 8; round++) {
        const rawId = newRawId();
        await source.save(rawId, sessionValue(), HOUR, 0);
        await Promise.all([
          ...numbers.slice(0, 4).map((i) => source.save(rawId, sessionValue(`save ${i}`), HOUR, 1)),
          source.end(rawId, HOUR, 0),
          ...numbers.slice(0, 4).map((n) => source.put(rawId, sessionValue(`put ${n}`), null, { epoch: 2, n })),
          ...numbers.slice(0, 4).map(() => source.touch(rawId, HOUR, 2)),
        ]);
        expect(await read(source, rawId)).toMatchObject({ ended: true, value: '' });
      }
    });

    test('a reader sees value and version of one write', async () => {
      const { source } = fixture;
      const rawId = newRawId();
      await source.put(rawId, sessionValue('n 1'), null, { epoch: 0, n: 1 });
      const writing = (async () => {
        for (let n = 2; n <= 60; n++) await source.put(rawId, sessionValue(`n ${n}`), null, { epoch: 0, n });
      })();
      for (let n = 1; n < 60;) {
        const session = await read(source, rawId);
        expect(session?.value).toBe(sessionValue(`n ${session?.version.n}`));
        n = session?.version.n ?? 0;
      }
      await writing;
    });

    test('histories of random calls have the outcomes that the rules give', async () => {
      await fc.assert(
        fc.asyncProperty(fc.array(calls, { minLength: 1, maxLength: 14 }), async (history) => {
          const rawId = newRawId();
          const model = new Model();
          for (const drawn of history) {
            const call = model.resolve(drawn);
            expect(await apply(fixture.source, rawId, call)).toEqual(model.apply(call));
          }
          const session = await read(fixture.source, rawId);
          expect(session && { value: session.value, version: session.version, ended: session.ended }).toEqual(model.state());
        }),
        { numRuns: 60 },
      );
    });
  });
}

type Call =
  | { readonly kind: 'save'; readonly epoch: number; readonly text: string }
  | { readonly kind: 'put'; readonly epoch: number; readonly text: string; readonly n: number }
  | { readonly kind: 'touch'; readonly epoch: number }
  | { readonly kind: 'kill'; readonly epoch: number }
  | { readonly kind: 'end'; readonly epoch: number };

/** `again`: a put of the version that is known, which no history would often draw by itself. */
type Drawn = Call | { readonly kind: 'again'; readonly text: string };

const epoch = fc.nat({ max: 3 });
const text = fc.string({ maxLength: 5 });
const calls: fc.Arbitrary<Drawn> = fc.oneof(
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('save' as const), text, epoch }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('put' as const), text, n: fc.nat({ max: 6 }), epoch }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('again' as const), text }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('touch' as const), epoch }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('kill' as const), epoch }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('end' as const), epoch }) },
);

/** The outcome of a call, without times. `kill` lets the session expire now. */
async function apply(source: SourceStore, rawId: string, call: Call): Promise<object> {
  if (call.kind === 'end') {
    await source.end(rawId, HOUR, call.epoch);
    return {};
  }
  const result = await ask(source, rawId, call);
  return 'version' in result ? { outcome: result.outcome, version: result.version } : { outcome: result.outcome };
}

async function ask(source: SourceStore, rawId: string, call: Exclude<Call, { readonly kind: 'end' }>): Promise<SourceSave | SourceTouch> {
  if (call.kind === 'save') return source.save(rawId, sessionValue(call.text), HOUR, call.epoch);
  if (call.kind === 'put') return source.put(rawId, sessionValue(call.text), (await source.now()) + HOUR, { epoch: call.epoch, n: call.n });
  return source.touch(rawId, call.kind === 'kill' ? 0 : HOUR, call.epoch);
}

/** The rules of the contract for one session. */
class Model {
  #version: SessionVersion = { epoch: 0, n: 0 };
  #value: string | undefined;
  #ended = false;

  resolve(drawn: Drawn): Call {
    return drawn.kind === 'again' ? { kind: 'put', text: drawn.text, ...this.#version } : drawn;
  }

  apply(call: Call): object {
    if (call.kind === 'end') {
      this.#ended = true;
      this.#version = { epoch: Math.max(this.#version.epoch, call.epoch), n: this.#version.n };
      return {};
    }
    if (this.#ended) return { outcome: 'ended' };
    const stale = call.epoch < this.#version.epoch;
    if (call.kind === 'touch' || call.kind === 'kill') {
      if (this.#value === undefined) return { outcome: 'missing' };
      if (stale) return { outcome: 'older' };
      if (call.kind === 'kill') this.#value = undefined;
      return { outcome: 'applied' };
    }
    const version = { epoch: call.epoch, n: call.kind === 'save' ? this.#version.n + 1 : call.n };
    const ahead = compareVersions(version, this.#version);
    if (call.kind === 'save' ? stale : ahead < 0 || (ahead === 0 && this.#value !== undefined))
      return { outcome: 'older', version: this.#version };
    this.#version = version;
    this.#value = sessionValue(call.text);
    return { outcome: 'applied', version };
  }

  state(): object | undefined {
    if (this.#ended) return { value: '', version: this.#version, ended: true };
    return this.#value === undefined ? undefined : { value: this.#value, version: this.#version, ended: false };
  }
}
