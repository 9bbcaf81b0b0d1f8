import { execFile, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { callKey } from './call-chain.ts';
import { identityReader } from './identity-reader.ts';
import { listening } from './testing/middleware-fixture.ts';

const page = readFileSync(new URL('../../../docs/9-back-ends.md', import.meta.url), 'utf8');
const secret = /secret='([^']+)'/.exec(page)?.[1] ?? '';
const run = promisify(execFile);
/** The page's commands are for people who have these tools; a machine without them proves the rest. */
const has = (tool: string, ...args: string[]): boolean => spawnSync(tool, args).status === 0;
const canSign = has('curl', '--version') && has('openssl', 'version');
const canDerive = has('openssl', 'kdf', '-help');

/** The first fenced block of a language that holds `text`. */
function block(language: string, text: string): string {
  const blocks = [...page.matchAll(/^ *```(\w+)\n([\s\S]*?)^ *```/gm)];
  const found = blocks.find(([, named, code]) => named === language && code?.includes(text));
  if (found?.[2] === undefined) throw new Error(`the page has no block of ${language} with ${text}`);
  return found[2];
}

describe('the page on back ends', () => {
  it('shows headers whose signature verifies', () => {
    const headers = Object.fromEntries(
      Array.from(block('http', 'x-wherry-signature').matchAll(/^([\w-]+): (.*)$/gm), ([, name, value]) => [name, value]),
    );
    const now = 1_800_000_000_000;
    const read = identityReader({ secret, clock: { now: () => now, monotonic: () => now } });
    expect(read(headers)).toMatchObject({ principal: { userId: '42', authorities: ['ROLE_USER', 'items:write'], kind: 'jwt' } });
    expect(() => read({ ...headers, 'x-wherry-user-id': '43' })).toThrow(expect.objectContaining({ code: 'unauthenticated' }));
  });

  it('has the filter sign the same headers in the same order', () => {
    const listed = /SIGNED = List\.of\(([^)]*)\)/.exec(block('java', 'SIGNED'))?.[1] ?? '';
    const names = Array.from(listed.matchAll(/"([^"]+)"/g), ([, name]) => name);
    const named = Array.from(page.matchAll(/^\| `(x-wherry-[\w-]+)` \|/gm), ([, name]) => name).filter(
      (name) => name !== 'x-wherry-signature',
    );
    expect(names).toEqual(named.toSorted());
  });

  it.runIf(canSign)('has commands that sign what a service believes', async () => {
    const read = identityReader({ secret });
    const server = createServer(({ headers }, response) => void response.end(read(headers).principal?.userId));
    await using service = await listening(server);
    const { stdout } = await run('sh', ['-c', block('sh', 'curl')], { env: { ...process.env, SERVICE: service.url } });
    expect(stdout).toBe('42');
  });

  it.runIf(canDerive)('has a command that makes the key for a call', async () => {
    const own = 'orders-secret-of-at-least-32-bytes!!';
    const { stdout } = await run('sh', ['-c', block('sh', 'openssl kdf')], { env: { ...process.env, ORDERS_SECRET: own } });
    expect(stdout).toBe(callKey(own, { from: 'orders', to: 'billing' }));
  });
});
