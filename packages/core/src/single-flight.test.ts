import { expect, test } from 'vitest';
import { SingleFlight } from './single-flight.ts';

test('calls for one key while it is under way share one run', async () => {
  const flights = new SingleFlight<string, number>();
  const gate = Promise.withResolvers<number>();
  let runs = 0;
  const load = (): Promise<number> => {
    runs++;
    return gate.promise;
  };
  const answers = [flights.run('a', load), flights.run('a', load), flights.run('a', load)];
  expect(runs).toBe(1);
  expect(flights.size).toBe(1);
  gate.resolve(7);
  expect(await Promise.all(answers)).toEqual([7, 7, 7]);
  expect(flights.size).toBe(0);
});

test('keys do not wait for each other', async () => {
  const flights = new SingleFlight<string, string>();
  const never = new Promise<string>(() => undefined);
  void flights.run('slow', () => never);
  expect(await flights.run('fast', () => Promise.resolve('done'))).toBe('done');
});

test('a call after the end runs again: nothing is remembered', async () => {
  const flights = new SingleFlight<string, number>();
  let runs = 0;
  const load = (): Promise<number> => Promise.resolve(++runs);
  expect(await flights.run('a', load)).toBe(1);
  expect(await flights.run('a', load)).toBe(2);
});

test('a failure reaches everyone who joined, and the next call tries again', async () => {
  const flights = new SingleFlight<string, number>();
  const fail = (): Promise<number> => Promise.reject(new Error('down'));
  const answers = await Promise.allSettled([flights.run('a', fail), flights.run('a', fail)]);
  expect(answers.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
  expect(await flights.run('a', () => Promise.resolve(1))).toBe(1);
});

test('a load that throws at once is a failed flight, not one that stays for ever', async () => {
  const flights = new SingleFlight<string, number>();
  const broken = (): Promise<number> => {
    throw new Error('at once');
  };
  await expect(flights.run('a', broken)).rejects.toThrow('at once');
  expect(flights.size).toBe(0);
  expect(await flights.run('a', () => Promise.resolve(1))).toBe(1);
});
