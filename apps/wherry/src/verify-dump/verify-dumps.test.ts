import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { run } from '../testing/recording-terminal.ts';
import { verifyDumps, type DumpVerdict } from './verify-dumps.ts';

const NOW = 1_800_000_000_000;
let folder: string;
beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), 'wherry-dumps-'))));
afterAll(() => rmSync(folder, { recursive: true }));

type Line = Record<string, unknown>;
const id = (n: number): string => createHash('sha256').update(`session ${n}`).digest('hex');
const live = (n: number, more: Line = {}): Line => ({
  id: id(n),
  at: NOW,
  state: 'live',
  user: `user${n}`,
  name: 'ada',
  authorities: ['a', 'b'],
  expires: NOW + 3_600_000 + n,
  ...more,
});
const HEADER = { format: 'wherry-sessions', version: 1, side: 'source', began: NOW - 1000 };

function dump(name: string, lines: readonly Line[], footer: Line = { sessions: lines.length, finished: NOW }): string {
  const path = join(folder, name);
  writeFileSync(path, [HEADER, ...lines, footer].map((line) => `${JSON.stringify(line)}\n`).join(''));
  return path;
}
const verdict = (a: readonly Line[], b: readonly Line[], memoryBytes = 4096): DumpVerdict =>
  verifyDumps(dump('a', a), dump('b', b), { memoryBytes, sample: 100 });
const shuffled = (lines: readonly Line[]): Line[] => lines.toSorted((a, b) => (id(String(a['id']).length) < String(b['id']) ? 1 : -1));

const SAME = Array.from({ length: 300 }, (_, n) => live(n));

/** One session in another form for each class: its two lines, and how it is to be judged. */
const CASES: readonly (readonly [string, Line | undefined, Line | undefined, string])[] = [
  ['absent from the second', live(9000), undefined, 'missing: not in the second'],
  ['absent from the first', undefined, live(9000), 'extra: not in the first'],
  ['another user', live(9000), live(9000, { user: 'grace' }), 'differs: user'],
  ['nobody signed in', live(9000), live(9000, { user: null }), 'differs: user'],
  ['another name', live(9000), live(9000, { name: null }), 'differs: name'],
  ['an authority more', live(9000), live(9000, { authorities: ['a', 'b', 'c'] }), 'differs: authorities'],
  ['another authority', live(9000), live(9000, { authorities: ['a', 'c'] }), 'differs: authorities'],
  ['an expiry 1001 ms later', live(9000), live(9000, { expires: NOW + 3_609_000 + 1001 }), 'differs: expiry'],
  ['no expiry', live(9000), live(9000, { expires: null }), 'differs: expiry'],
  [
    'ended in the second',
    live(9000),
    { id: id(9000), at: NOW, state: 'ended' },
    'ended_here_alive_there: ended in the second, alive in the first',
  ],
  [
    'ended in the first',
    { id: id(9000), at: NOW, state: 'ended' },
    live(9000),
    'ended_here_alive_there: ended in the first, alive in the second',
  ],
  ['run out before the second was read', live(9000, { expires: NOW + 900 }), undefined, 'expired_in_flight: ran out'],
  ['run out before the first was read', undefined, live(9000, { expires: NOW - 5 }), 'expired_in_flight: ran out'],
  ['undecodable', { id: id(9000), at: NOW, state: 'undecodable' }, undefined, 'not_carried: cannot be decoded'],
];
const HARMLESS: readonly (readonly [string, Line | undefined, Line | undefined])[] = [
  ['authorities in another order', live(9000), live(9000, { authorities: ['b', 'a', 'b'] })],
  ['an expiry 1000 ms later', live(9000), live(9000, { expires: NOW + 3_609_000 + 1000 })],
  ['ended in both', { id: id(9000), at: NOW, state: 'ended' }, { id: id(9000), at: NOW, state: 'ended' }],
  ['ended in one, unknown to the other', undefined, { id: id(9000), at: NOW, state: 'ended' }],
  ['never ending in both', live(9000, { expires: null }), live(9000, { expires: null })],
];

describe('two exports', () => {
  test.each(CASES)('%s is found, and nothing else', (_, a, b, said) => {
    const { equal, samples, same } = verdict([...SAME, ...(a ? [a] : [])], [...(b ? [b] : []), ...shuffled(SAME)]);
    expect(samples.map(({ difference, detail }) => `${difference}: ${detail}`)).toEqual([said]);
    expect(samples[0]?.id).toBe(id(9000).slice(0, 16));
    expect(same).toBe(SAME.length);
    expect(equal).toBe(/^(expired_in_flight|not_carried)/.test(said));
  });

  test.each(HARMLESS)('%s is no difference', (_, a, b) => {
    expect(verdict([...SAME, ...(a ? [a] : [])], [...SAME, ...(b ? [b] : [])])).toMatchObject({ equal: true, samples: [] });
  });

  test('of a session that was read twice the later reading counts, wherever it stands', () => {
    const early = live(1, { at: NOW - 500, user: 'before' });
    expect(verdict([live(1), early], [early, live(1)])).toMatchObject({ equal: true, compared: 1, same: 1 });
    expect(verdict([early], [live(1)])).toMatchObject({ equal: false, counts: { differs: 1 } });
  });

  test('any injected differences are counted by class, whatever the memory', () => {
    const change = fc.constantFrom<'same' | 'missing' | 'extra' | 'differs' | 'ended'>('same', 'missing', 'extra', 'differs', 'ended');
    fc.assert(
      fc.property(fc.array(change, { maxLength: 120 }), fc.integer({ min: 1, max: 60_000 }), (changes, memory) => {
        const a: Line[] = [];
        const b: Line[] = [];
        const expected = { missing: 0, extra: 0, differs: 0, ended_here_alive_there: 0, expired_in_flight: 0, not_carried: 0 };
        for (const [n, each] of changes.entries()) {
          if (each !== 'extra') a.push(live(n));
          if (each === 'same' || each === 'extra') b.push(live(n));
          if (each === 'differs') b.push(live(n, { authorities: [] }));
          if (each === 'ended') b.push({ id: id(n), at: NOW, state: 'ended' });
          if (each === 'ended') expected.ended_here_alive_there++;
          else if (each !== 'same') expected[each]++;
        }
        expect(verdict(a, b.toReversed(), memory).counts).toEqual(expected);
      }),
      { numRuns: 40 },
    );
  });
});

describe('an export that cannot be compared', () => {
  const good = (): string => dump('good', SAME);
  test.each([
    ['is not there', undefined, /cannot be read/],
    ['is empty', '', /is empty/],
    ['is something else', '{"hello":1}\n', /no export of sessions/],
    ['is of another version', `${JSON.stringify({ ...HEADER, version: 2 })}\n`, /another version/],
    ['was cut off', `${JSON.stringify(HEADER)}\n${JSON.stringify(live(1))}\n`, /cut off/],
    ['was cut off within a line', `${JSON.stringify(HEADER)}\n{"id":"`, /:2: the line is no JSON/],
    ['lacks sessions', `${JSON.stringify(HEADER)}\n{"sessions":1,"finished":1}\n`, /has 0 sessions, and its last line says 1/],
    ['goes on', `${JSON.stringify(HEADER)}\n{"sessions":0,"finished":1}\n{"sessions":0,"finished":1}\n`, /after the last line/],
    ['has an id in clear', `${JSON.stringify(HEADER)}\n${JSON.stringify({ ...live(1), id: 'sid' })}\n`, /:2: "id" is no SHA-256/],
    ['is binary', Buffer.from([0xff, 0xfe, 0x0a]), /not UTF-8/],
    ['has an endless line', 'x'.repeat(3 * 1024 * 1024), /more than 1 MiB/],
  ])('%s: exit code 2 and one line', async (name, content, said) => {
    const path = join(folder, `bad ${name}`.replaceAll(' ', '-'));
    if (content !== undefined) writeFileSync(path, content);
    const { code, out, err } = await run(`verify-dump ${good()} ${path}`);
    expect({ code, out }).toEqual({ code: 2, out: '' });
    expect(err).toMatch(said);
    expect(err.split('\n')).toHaveLength(1);
  });

  test('whatever the bytes, they are told apart from an export', () => {
    const path = join(folder, 'noise');
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), (bytes) => {
        writeFileSync(path, Buffer.concat([Buffer.from(`${JSON.stringify(HEADER)}\n`), bytes]));
        expect(() => verifyDumps(path, path)).toThrow(expect.objectContaining({ name: 'DumpFault' }));
      }),
      { numRuns: 60 },
    );
  });
});

test('the command answers 0 for equal, 1 for different, and leaves nothing behind', async () => {
  const before = readdirSync(tmpdir()).filter((name) => name.startsWith('wherry-verify-'));
  expect(await run(`verify-dump ${dump('one', SAME)} ${dump('two', SAME)}`)).toMatchObject({ code: 0, err: '' });
  const differing = await run(`verify-dump ${dump('one', SAME)} ${dump('two', SAME.slice(7))} --sample 2`);
  expect(differing).toMatchObject({ code: 1, err: 'wherry: the two exports do not say the same' });
  expect(differing.out).toMatch(/^DIFFERENT: first source, second source, 300 sessions compared, 293 alive in both/);
  expect(differing.out.match(/missing: not in the second/g)).toHaveLength(2);
  expect(JSON.parse((await run(`verify-dump ${dump('one', SAME)} ${dump('two', SAME)} --json`)).out)).toMatchObject({ equal: true });
  expect(readdirSync(tmpdir()).filter((name) => name.startsWith('wherry-verify-'))).toEqual(before);
});

test('the tool shares no code with what it checks', () => {
  const here = new URL('.', import.meta.url);
  const imported = readdirSync(here)
    .filter((name) => !name.endsWith('.test.ts'))
    .flatMap((name) =>
      [...readFileSync(new URL(name, here), 'utf8').matchAll(/from '([^']+)'|import\('([^']+)'\)/g)].map(([, path]) => path),
    );
  expect(imported.length).toBeGreaterThan(5);
  expect(imported.filter((path) => path === undefined || !/^(node:[a-z_]+|\.\/[a-z-]+\.ts)$/.test(path))).toEqual([]);
});
