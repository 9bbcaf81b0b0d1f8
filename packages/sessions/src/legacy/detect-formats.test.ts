import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { textOfBytes } from '../source/text-of-bytes.ts';
import { detectLayout } from './detect.ts';
import { formatsOf } from './formats.ts';
import { textOfFields } from './spring/fields-text.ts';
import { GOLDEN as SPRING, goldenFields, goldenKeys } from './spring/testing.ts';

const SPRING_KEY = 'spring:session:sessions:';

function golden(path: string): unknown {
  return JSON.parse(readFileSync(new URL(`../../fixtures/${path}`, import.meta.url), 'utf8'));
}

const phpSessions = (golden('php/sessions.json') as { sessions: { handler: string; base64: string }[] }).sessions;
const djangoSessions = (golden('django/sessions.json') as { sessions: { form: string; session: string; base64: string }[] }).sessions;
const bytesOf = ({ base64 }: { readonly base64: string }): Buffer => Buffer.from(base64, 'base64');
const express = (extra: object): string => JSON.stringify({ cookie: { originalMaxAge: 60_000, path: '/' }, ...extra });

/** What each format's own software wrote, as its source hands it over; an empty session of PHP is the same in all of its forms. */
const WRITTEN: Readonly<Record<string, readonly string[]>> = {
  'connect-redis': [express({}), express({ user: { id: 1 } }), express({ text: 'user|s:1:"a";' }), express({ base64: 'AAAA' })],
  php: written('php'),
  'php-serialize': written('php_serialize'),
  'php-binary': written('php_binary'),
  'koa-session': [
    '{"user":{"id":1},"_expire":1800000000000,"_maxAge":86400000}',
    '{"visits":1,"_session":true}',
    '{"_expire":1,"_maxAge":1}',
  ],
  // Its two layouts have the same values; the keys tell them apart.
  'spring-redis-indexed': springSessions(),
  'django-cache': djangoSessions
    .filter(({ form, session }) => form === 'cache' && session !== 'unknown class')
    .map((each) => textOfBytes(bytesOf(each))),
  'django-signed': djangoSessions.filter(({ form }) => form === 'signed').map((each) => textOfBytes(bytesOf(each))),
};

function springSessions(): string[] {
  return SPRING.flatMap((layout) => {
    const ids = Object.entries(goldenKeys(layout)).filter(
      ([key, { fields }]) => key.startsWith(SPRING_KEY) && fields?.['creationTime'] !== undefined,
    );
    return ids.map(([key]) => textOfFields(goldenFields(layout, key.slice(SPRING_KEY.length))));
  });
}

function written(handler: string): string[] {
  const values = phpSessions.filter((each) => each.handler === handler).map(bytesOf);
  return values.filter(({ length }) => length > 0).map((bytes) => textOfBytes(bytes));
}

const valuesOf = (name: string): readonly string[] => WRITTEN[name] ?? [];
const oneOf = (values: readonly string[], n: number): readonly string[] => values.slice(n % values.length).slice(0, 1);
const named = (values: readonly string[]): string => detectLayout({ store: 'redis', entries: values.map((value) => ({ value })) }).layout;

describe('a sample', () => {
  test('of any part of what one software wrote is never named another', () => {
    const samples = fc
      .constantFrom(...Object.entries(WRITTEN))
      .chain(([name, values]) => fc.tuple(fc.constant(name), fc.array(fc.constantFrom(...values), { minLength: 1, maxLength: 12 })));
    fc.assert(
      fc.property(samples, ([name, values]) => {
        expect([name, 'unknown']).toContain(named(values));
      }),
      { numRuns: 400 },
    );
  });

  test.each(Object.keys(WRITTEN))('of all that %s wrote is named so', (name) => {
    expect(named(valuesOf(name))).toBe(name);
  });

  test.each(Object.keys(WRITTEN))('of %s in which every second value is of another is unknown, whichever that is', (name) => {
    const own = valuesOf(name);
    for (const other of Object.keys(WRITTEN).filter((each) => each !== name)) {
      const values = Array.from({ length: 10 }, (_, i) => i).flatMap((i) => oneOf(i % 2 === 0 ? own : valuesOf(other), i));
      const foreign = values.filter((value) => !own.includes(value)).length;
      expect(foreign === 0 || named(values) === 'unknown').toBe(true);
    }
  });

  test('with a few of another is named by the many, and the report tells of the few', () => {
    const values = [...Array.from({ length: 18 }, () => oneOf(valuesOf('php'), 0)).flat(), ...oneOf(valuesOf('django-cache'), 0)];
    const report = detectLayout({ store: 'redis', entries: values.map((value) => ({ value })) });
    expect(report).toMatchObject({
      layout: 'php',
      matching: 18,
      faults: { malformed: 1 },
      runnerUp: { layout: 'django-cache', matching: 1 },
    });
    expect(report.reasons).toContain('the next best is django-cache with 1 of 19 values; against it: malformed in 18');
  });

  test('in which nothing tells two formats apart is named neither', () => {
    const report = detectLayout({ store: 'redis', entries: [{ value: textOfBytes(Buffer.alloc(0)) }] });
    expect(report).toMatchObject({ layout: 'unknown', runnerUp: { matching: 1 } });
    expect(report.reasons.join()).toContain('nothing in the sample tells the two apart');
  });

  test.each([
    '{}',
    '[]',
    'null',
    '7',
    '"text"',
    '{"user":{"id":7}}',
    '{"cookie":1}',
    '{"text":"user"}',
    '{"base64":"AA=="}',
    '',
    'a|',
    'N;',
    '\u0080\u0004.',
    'spring',
  ])('%j alone is no layout that could be named', (value) => {
    // An empty value is a session of PHP in each of its forms, and so of none.
    expect(named([value])).toBe('unknown');
  });

  test('is told however the source was opened, as long as its text survives that', () => {
    for (const name of ['php', 'php-serialize', 'django-signed']) {
      const texts = valuesOf(name)
        .map((value) => (JSON.parse(value) as { text?: string }).text)
        .filter((text) => text !== undefined);
      expect(texts.length).toBeGreaterThan(3);
      expect(named(texts)).toBe(name);
    }
    expect(named(valuesOf('connect-redis').map((value) => textOfBytes(Buffer.from(value))))).toBe('connect-redis');
  });

  test('shows attributes of sessions that are no JSON, and none of their values', () => {
    const report = detectLayout({ store: 'redis', entries: valuesOf('php').map((value) => ({ value })) });
    expect(report.attributes.find(({ path }) => path === 'user.id')).toMatchObject({ types: { number: 4, text: 1 } });
    expect(JSON.stringify(report)).not.toMatch(/ada|grace|alan|ROLE_/);
  });
});

test('every format answers whatever it is shown', () => {
  const decoders = [...new Set(['redis', 'dynamodb', 'mongodb'].flatMap((store) => formatsOf(store)))].map((format) =>
    format.decoder({ identity: { userId: 'id' } }),
  );
  const all = Object.values(WRITTEN).flat();
  fc.assert(
    fc.property(
      fc.oneof(fc.string({ unit: 'binary' }), fc.json(), fc.constantFrom(...all)),
      fc.constantFrom(...decoders),
      (value, decode) => {
        expect(typeof decode(value).ok).toBe('boolean');
      },
    ),
    { numRuns: 3000 },
  );
});
