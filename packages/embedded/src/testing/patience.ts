import { vi } from 'vitest';

/**
 * How long a test waits for what must come. The library's own limits, one second for a condition, are a wrong guess on a
 * machine that is busy or was stopped for a while; a limit only has to be shorter than for ever.
 */
const PATIENCE_MS = 120_000;

vi.setConfig({ testTimeout: 5 * PATIENCE_MS, hookTimeout: 5 * PATIENCE_MS, expect: { poll: { timeout: PATIENCE_MS } } });

const { waitFor, waitUntil } = vi;

/** A limit that a caller names can lengthen the wait, not shorten it: nothing is tested by giving up early. */
function patient<T extends { readonly timeout?: number; readonly interval?: number }>(options: T | number | undefined): T {
  const given = typeof options === 'number' ? { timeout: options } : options;
  return { ...given, timeout: Math.max(PATIENCE_MS, given?.timeout ?? 0) } as T;
}

vi.waitFor = (callback, options) => waitFor(callback, patient(options));
vi.waitUntil = (callback, options) => waitUntil(callback, patient(options));
