import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { expect, test, vi } from 'vitest';
import { isWherryError } from './errors.ts';
import { Lifecycle, type Component } from './lifecycle.ts';
import { silentLogger, type Logger } from './log.ts';

const recorder = (): { readonly calls: string[]; component(name: string, more?: Partial<Component>): Component } => {
  const calls: string[] = [];
  const step = (name: string, what: string) => () => {
    calls.push(`${what} ${name}`);
    return Promise.resolve();
  };
  return {
    calls,
    component: (name, more = {}) => ({ name, run: step(name, 'run'), drain: step(name, 'drain'), stop: step(name, 'stop'), ...more }),
  };
};

test('starts in order, drains all in reverse, then stops all in reverse', async () => {
  const { calls, component } = recorder();
  const lifecycle = new Lifecycle();
  for (const name of ['a', 'b', 'c']) lifecycle.add(component(name));
  expect(lifecycle.ready).toBe(false);
  await lifecycle.run();
  expect(lifecycle.ready).toBe(true);
  const ending = lifecycle.end();
  expect(lifecycle.ready).toBe(false);
  await ending;
  expect(calls).toEqual(['run a', 'run b', 'run c', 'drain c', 'drain b', 'drain a', 'stop c', 'stop b', 'stop a']);
});

test('a component cannot be added after the start', async () => {
  const lifecycle = new Lifecycle();
  await lifecycle.run();
  expect(() => lifecycle.add({ name: 'late' })).toThrow(/late/);
});

test('a failing start ends what was started and throws the failure', async () => {
  const { calls, component } = recorder();
  const lifecycle = new Lifecycle();
  lifecycle.add(component('a'));
  lifecycle.add(component('b', { run: () => Promise.reject(new Error('no port')) }));
  lifecycle.add(component('c'));
  await expect(lifecycle.run()).rejects.toThrow('no port');
  await lifecycle.ended;
  expect(calls).toEqual(['run a', 'drain b', 'drain a', 'stop b', 'stop a']);
  expect(lifecycle.ready).toBe(false);
});

test.each([
  ['comes to its end', (slow: PromiseWithResolvers<void>) => slow.resolve()],
  ['fails by that', (slow: PromiseWithResolvers<void>) => slow.reject(new Error('stopped before it was ready'))],
])('a wish to end during the start, which then %s, keeps the rest from starting and is no failure', async (_, settle) => {
  const { calls, component } = recorder();
  const lifecycle = new Lifecycle();
  const slow = Promise.withResolvers<void>();
  lifecycle.add(component('a', { run: () => slow.promise, stop: () => Promise.resolve(settle(slow)) }));
  lifecycle.add(component('b'));
  const running = lifecycle.run();
  await lifecycle.end();
  await running;
  expect(calls).toEqual(['drain a']);
  expect(lifecycle.ready).toBe(false);
});

test('repeated calls of end join the first', async () => {
  const { calls, component } = recorder();
  const lifecycle = new Lifecycle();
  lifecycle.add(component('a'));
  await lifecycle.run();
  await Promise.all([lifecycle.end(), lifecycle.end()]);
  await lifecycle.end();
  expect(calls).toEqual(['run a', 'drain a', 'stop a']);
});

test('a component that fails to end is told of and does not keep the others from ending', async () => {
  const { calls, component } = recorder();
  const errors: unknown[] = [];
  const log: Logger = { ...silentLogger, error: (message, fields) => void errors.push([message, fields?.['component'], fields?.['step']]) };
  const lifecycle = new Lifecycle({ log });
  lifecycle.add(component('a'));
  lifecycle.add(component('b', { drain: () => Promise.reject(new Error('x')), stop: () => Promise.reject(new Error('y')) }));
  await lifecycle.run();
  await lifecycle.end();
  expect(calls).toEqual(['run a', 'run b', 'drain a', 'stop a']);
  expect(errors).toEqual([
    ['component failed to end', 'b', 'drain'],
    ['component failed to end', 'b', 'stop'],
  ]);
});

test('a drain that hangs gets the abort at the bound, and everything is stopped all the same', async () => {
  const { calls, component } = recorder();
  const errors: unknown[] = [];
  const log: Logger = { ...silentLogger, error: (_, fields) => void errors.push(fields?.['error']) };
  const lifecycle = new Lifecycle({ log, drainMs: 60, stopMs: 60 });
  let aborted = false;
  const never = new Promise<void>(() => undefined);
  lifecycle.add(component('a'));
  lifecycle.add(
    component('b', {
      drain: (signal) => {
        signal.addEventListener('abort', () => (aborted = true));
        return never;
      },
      stop: () => never,
    }),
  );
  await lifecycle.run();
  const begun = performance.now();
  await lifecycle.end();
  expect(performance.now() - begun).toBeGreaterThanOrEqual(110);
  expect(aborted).toBe(true);
  expect(calls).toContain('stop a');
  expect(errors.every((error) => isWherryError(error, 'deadline_exceeded'))).toBe(true);
  // The bound is on all drains together: none was left for `a`, which had no need of it.
  expect(errors).toHaveLength(2);
});

/** A process with one component that needs `drainMs` to drain, told by its output how far it is. */
function startChild(drainMs: number): ChildProcess & { readonly said: () => string } {
  const script = `
    import { Lifecycle } from ${JSON.stringify(new URL('./lifecycle.ts', import.meta.url).href)};
    const lifecycle = new Lifecycle({ drainMs: 600_000 });
    const beat = setInterval(() => undefined, 1000);
    lifecycle.add({
      name: 'server',
      drain: () => { console.log('draining'); return new Promise((resolve) => setTimeout(resolve, ${drainMs})); },
      stop: async () => { console.log('stopped'); clearInterval(beat); },
    });
    lifecycle.endOnSignals();
    await lifecycle.run();
    console.log('ready');
    await lifecycle.ended;
    console.log('ended');`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: ['ignore', 'pipe', 'inherit'] });
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text));
  return Object.assign(child, { said: () => output });
}

test.each(['SIGTERM', 'SIGINT'] as const)('a process drains and stops on %s and ends by itself with status 0', async (signal) => {
  const child = startChild(50);
  try {
    await vi.waitFor(() => expect(child.said()).toContain('ready'));
    child.kill(signal);
    expect(await once(child, 'close')).toEqual([0, null]);
    expect(child.said()).toBe('ready\ndraining\nstopped\nended\n');
  } finally {
    child.kill('SIGKILL');
  }
});

test('a second signal ends the process at once', async () => {
  const child = startChild(500_000);
  try {
    await vi.waitFor(() => expect(child.said()).toContain('ready'));
    child.kill('SIGTERM');
    await vi.waitFor(() => expect(child.said()).toContain('draining'));
    child.kill('SIGINT');
    expect(await once(child, 'close')).toEqual([1, null]);
    expect(child.said()).not.toContain('stopped');
  } finally {
    child.kill('SIGKILL');
  }
});
