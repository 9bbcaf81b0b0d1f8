import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, expect, vi } from 'vitest';
import type { SourceSession, SourceStore } from '../source/contract.ts';

/** The application's own store, the real package, on the same data. Sessions as express-session hands them over. */
export interface LegacyPeer {
  set(rawId: string, session: LegacySession): Promise<void>;
  get(rawId: string): Promise<object | null | undefined>;
  touch(rawId: string, session: LegacySession): Promise<void>;
  destroy(rawId: string): Promise<void>;
}

/** The part of a session that the stores themselves look at. */
export interface LegacySession {
  readonly cookie: { readonly originalMaxAge: number | null; readonly expires?: Date; readonly maxAge?: number };
  readonly [attribute: string]: unknown;
}

/** A driver on empty data of its own on a real server. */
export interface SourceFixture {
  readonly source: SourceStore;
  readonly legacy: LegacyPeer;
  /** Lets go of everything, the data included where that is easy. */
  dispose(): Promise<void>;
}

/** What differs between stores. */
export interface SourceCapabilities {
  /** Longest value that the store takes, in bytes, below which the suite stays. */
  readonly maxValueBytes: number;
  /** What a value says to the application, as JSON would keep it; default: what its JSON says. */
  readonly plain?: (value: string) => unknown;
}

/** Makes a fixture. */
export type MakeSource = () => Promise<SourceFixture>;

/** A fixture for the tests of the surrounding `describe`. */
export function useFixture(make: MakeSource): SourceFixture {
  let fixture: SourceFixture | undefined;
  const current = (): SourceFixture => {
    if (fixture === undefined) throw new Error('the fixture is used outside of a test');
    return fixture;
  };
  beforeAll(async () => {
    fixture = await make();
  });
  afterAll(async () => {
    await fixture?.dispose();
  });
  return {
    get source() {
      return current().source;
    },
    get legacy() {
      return current().legacy;
    },
    dispose: () => current().dispose(),
  };
}

/** An id that no other test has. */
export function newRawId(): string {
  return randomBytes(18).toString('base64url');
}

/** A session value with some text in it, as express-session would store it. */
export function sessionValue(text = 'x'): string {
  return JSON.stringify({ cookie: { originalMaxAge: HOUR, path: '/' }, text });
}

/** One session, read by itself. */
export async function read(source: SourceStore, rawId: string): Promise<SourceSession | undefined> {
  const [session] = await source.get([rawId]);
  return session;
}

/** Waits until the source no longer has it: clocks run on their own. */
export async function absent(source: SourceStore, rawId: string): Promise<void> {
  await vi.waitFor(async () => expect(await read(source, rawId)).toBeUndefined(), { interval: 25 });
}

/** Some stores count whole seconds; one millisecond more is what two clocks of one machine may differ by in reading. */
const ROUNDING_MS = 1001;

/**
 * The life that a session was given lies in its expiry: `ttlMs` after a moment between `before`, which the source's clock
 * showed before the write, and the reading. However long either takes, both bounds hold.
 */
export function expectLife(session: SourceSession | undefined, before: number, ttlMs: number): void {
  const { expireTime, readAt } = present(session);
  expect(present(expireTime)).toBeGreaterThanOrEqual(before + ttlMs - ROUNDING_MS);
  expect(present(expireTime)).toBeLessThanOrEqual(readAt + ttlMs + ROUNDING_MS);
}

/** Milliseconds; long against any test. */
export const HOUR: number = 3_600_000;

/** A value that has to be there. */
export function present<T>(value: T | null | undefined): T {
  if (value === null || value === undefined) throw new Error('a value that the test needs is missing');
  return value;
}
