import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { randomUUID } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, inject, it, vi } from 'vitest';
import type { CrowdEvent } from './protocol.ts';
import { startLegacy, type LegacyProcess } from './testing/legacy-process.ts';

const MAIN = fileURLToPath(new URL('./main.ts', import.meta.url));

let app: LegacyProcess;
let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'crowd-main-'));
  app = await startLegacy({ LEGACY_SOURCE: inject('redisUrl'), LEGACY_KEY_PREFIX: `${randomUUID()}:` });
});
afterAll(async () => {
  await app.stop();
  await rm(folder, { recursive: true, force: true });
});

interface Parent {
  readonly events: CrowdEvent[];
  say(command: unknown): void;
  hear<T>(find: (event: CrowdEvent) => T | undefined): Promise<T>;
  hangUp(): void;
  /** Closes our end of the crowd's standard output. */
  stopReading(): void;
  readonly ended: Promise<[number | null]>;
}

function startCrowd(...args: string[]): Parent {
  const child = spawn(process.execPath, [MAIN, ...args], { stdio: ['pipe', 'pipe', 'inherit'] });
  const ended = once(child, 'exit') as Promise<[number | null]>;
  const events: CrowdEvent[] = [];
  createInterface({ input: child.stdout }).on('line', (line) => events.push(JSON.parse(line) as CrowdEvent));
  return {
    events,
    say: (command) => void child.stdin.write(`${typeof command === 'string' ? command : JSON.stringify(command)}\n`),
    hear: async (find) => {
      await vi.waitUntil(() => events.some((event) => find(event) !== undefined), { interval: 20 });
      const [found] = events.map(find).filter((value) => value !== undefined);
      if (found === undefined) throw new Error('an event that was there has gone');
      return found;
    },
    hangUp: () => child.stdin.end(),
    stopReading: () => child.stdout.destroy(),
    ended,
  };
}

it('does what its parent says and asks it what the target holds', async () => {
  const seeds = join(folder, 'seeds');
  const ledger = join(folder, 'ledger');
  const body = JSON.stringify({ from: 1, count: 1500 });
  const answer = await fetch(`${app.url}/seed`, { method: 'POST', body, headers: { 'content-type': 'application/json' } });
  await writeFile(seeds, await answer.text());
  const parent = startCrowd('--seeds', seeds, '--ledger', ledger, '--users', '40', '--think-ms', '50', '--seed', '3');

  await parent.hear((event) => ('event' in event && event.event === 'ready' && event.sessions === 1500 ? event : undefined));
  parent.say({ do: 'set-gateway', url: [app.url, app.url], auth: app.url, id: 1 });
  parent.say({ do: 'start', id: 2 });
  parent.say('{"do":');
  parent.say({ do: 'dance' });
  await parent.hear((event) => ('event' in event && event.event === 'second' && event.total > 300 ? event : undefined));
  expect(parent.events.filter((event) => 'event' in event && event.event === 'error')).toHaveLength(2);

  parent.say({ do: 'probe-all', id: 'probe' });
  // The target is asked in parts, and lacks one session of the second part.
  for (const n of [1, 2]) {
    const asked = await parent.hear((event) => ('ask' in event && event.n === n ? event : undefined));
    expect(asked.ids[0]).toMatch(/^[0-9a-f]{64}$/);
    parent.say({ answer: n, present: asked.ids.slice(n - 1) });
  }
  const report = await parent.hear((event) => ('event' in event && event.event === 'report' && event.id === 'probe' ? event : undefined));
  expect(report).toMatchObject({ lost: 1, signedOut: 0, resurrected: 0, authoritiesChanged: 0, otherUser: 0, failed: 0 });
  expect(report.carried).toBe(report.probed.live);
  // Each of the 40 users may just have logged out.
  expect(report.carried).toBeGreaterThanOrEqual(1460);
  expect(parent.events.some((event) => 'event' in event && event.event === 'fault' && event.fault === 'lost')).toBe(true);

  parent.say({ do: 'stop', id: 'last' });
  await parent.hear((event) => ('event' in event && event.event === 'report' && event.id === 'last' ? event : undefined));
  expect((await parent.ended)[0]).toBe(0);
  expect((await stat(ledger)).mode & 0o077).toBe(0);
});

it.each(['hangUp', 'stopReading'] as const)('ends when its parent is gone: %s', async (goAway) => {
  const parent = startCrowd('--gateway', app.url, '--users', '5', '--think-ms', '20');
  parent.say({ do: 'start' });
  await parent.hear((event) => ('event' in event && event.event === 'second' ? event : undefined));
  parent[goAway]();
  expect((await parent.ended)[0]).toBe(0);
});

it('refuses a wrong option with one line', async () => {
  expect((await startCrowd('--users', 'all').ended)[0]).toBe(2);
});
