import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { breachedFile } from './breached-file.ts';
import { breachedRange } from './breached-range.ts';
import { passwordCheck, type CheckPassword } from './check-password.ts';

const sha1 = (text: string): string => createHash('sha1').update(text).digest('hex').toUpperCase();
const known = Array.from({ length: 5000 }, (_, i) => `password${i}`);

function fileOf(content: string): CheckPassword {
  const folder = mkdtempSync(join(tmpdir(), 'wherry-breached-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const path = join(folder, 'hashes');
  writeFileSync(path, content);
  return passwordCheck(breachedFile(path));
}

describe('a file', () => {
  test.each([
    ['with counts', (hash: string, i: number) => `${hash}:${10 ** (i % 8)}\n`],
    ['with carriage returns', (hash: string, i: number) => `${hash}:${i}\r\n`],
    ['of bare hashes', (hash: string) => `${hash}\n`],
    ['in lower case', (hash: string) => `${hash.toLowerCase()}:3\n`],
  ])('%s is searched, first and last line too', async (_, line) => {
    const hashes = known.map(sha1).toSorted();
    const check = fileOf(hashes.map(line).join(''));
    for (const password of known) expect(await check(password)).toBe('breached');
    for (let i = 0; i < 500; i++) expect(await check(`another${i}`)).toBe('ok');
  });

  test('without an end of its last line, of one line, and an empty one', async () => {
    expect(await fileOf(sha1('one'))('one')).toBe('breached');
    expect(await fileOf(`${sha1('one')}:1`)('two')).toBe('ok');
    expect(await fileOf('')('one')).toBe('ok');
  });

  test('that is none, or is not there, lets everything through and tells', async () => {
    expect(await fileOf('x'.repeat(100_000))('one')).toBe('unknown');
    expect(await fileOf(`not a hash of anything, but long enough to look\n`.repeat(500))('one')).toBe('unknown');
    const outcomes: unknown[] = [];
    const metrics = { counter: () => ({ inc: (labels: unknown) => outcomes.push(labels) }) } as never;
    expect(await passwordCheck(breachedFile('/nowhere/at/all'), { metrics })('one')).toBe('unknown');
    expect(outcomes).toEqual([{ outcome: 'unknown' }]);
  });
});

describe('a range service', () => {
  async function serve(listener: RequestListener): Promise<string> {
    const server = createServer(listener);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => {
      server.close();
      server.closeAllConnections();
    });
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}/range`;
  }

  test('is told five digits, and answers for the rest', async () => {
    const asked: unknown[] = [];
    const url = await serve((request, response) => {
      asked.push([request.url, request.headers['add-padding']]);
      response.end(`${'0'.repeat(35)}:7\r\n${sha1('known').slice(5)}:12\r\n${sha1('padding').slice(5)}:0`);
    });
    const check = passwordCheck(breachedRange({ url }));
    expect([await check('known'), await check('padding'), await check('unheard of')]).toEqual(['breached', 'ok', 'ok']);
    expect(asked[0]).toEqual([`/range/${sha1('known').slice(0, 5)}`, 'true']);
  });

  test.each<[string, RequestListener]>([
    ['fails', (_, response) => response.writeHead(500).end()],
    ['says that it is not there', (_, response) => response.writeHead(404).end()],
    ['sends elsewhere', (_, response) => response.writeHead(302, { location: 'http://127.0.0.1:1/' }).end()],
    ['breaks off', (_, response) => response.destroy()],
    ['answers without end', (_, response) => void setInterval(() => response.write('0'.repeat(65_536)), 1).unref()],
    ['never answers', () => undefined],
  ])('that %s lets everything through', async (_, listener) => {
    expect(await passwordCheck(breachedRange({ url: await serve(listener), timeoutMs: 1000 }))('one')).toBe('unknown');
  });
});
