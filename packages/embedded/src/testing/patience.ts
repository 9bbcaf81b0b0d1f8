import { vi } from 'vitest';

/** A condition is waited for as long as a busy machine needs. The library's own limit, one second, is a wrong guess there. */
const PATIENCE_MS = 15_000;

const { waitFor, waitUntil } = vi;

vi.waitFor = (callback, options) => waitFor(callback, typeof options === 'number' ? options : { timeout: PATIENCE_MS, ...options });
vi.waitUntil = (callback, options) => waitUntil(callback, typeof options === 'number' ? options : { timeout: PATIENCE_MS, ...options });
