import { PATIENT_MS } from '@wherry/embedded/testing';
import { afterAll, beforeAll, expect, inject, test, vi } from 'vitest';
import { expectAnswer, readAnswer } from './testing/answer.ts';
import { examplesOf, pageOf } from './testing/page.ts';
import { credentialsIn, runInShell } from './testing/shell.ts';
import { Town, type PhaseName } from './testing/town.ts';

/** What the page's answers name: `user123` is a member who may read orders. */
const USER = 123;

let town: Town;
const variables: Record<string, string> = {};
beforeAll(async () => {
  town = await Town.found(inject('postgresUrl'), { redisUrl: inject('redisUrl') });
  const cookie = await town.signIn(USER);
  const id = /^s:(.+)\./.exec(decodeURIComponent(cookie))?.[1] ?? '';
  Object.assign(variables, town.addresses, { CONNECT_SID: cookie, SOURCE_SESSION_ID: id });
});
afterAll(async () => town[Symbol.asyncDispose]());

const examples = examplesOf(pageOf('8-client-guide.md'));

test.for(examples.map((example) => [example.command.line, example] as const))('line %i answers what the page says', async ([, example]) => {
  const { command, answer } = example;
  const [phase] = command.words;
  if (phase === 'rollback') await town.stepBack();
  else if (phase !== undefined) await town.advanceTo(phase as PhaseName);
  if (command.text.includes('$EXPIRED_TOKEN')) variables['EXPIRED_TOKEN'] ??= await town.expiredToken(variables['SESSION_TOKEN'] ?? '');
  const run = async (): Promise<void> => {
    const got = await runInShell(command.text, variables);
    if (answer !== undefined) expectAnswer(got, readAnswer(answer.text));
    Object.assign(variables, credentialsIn(got));
  };
  // What follows from what a client has shown is written behind its requests.
  await (command.words.includes('soon') ? vi.waitFor(run, { timeout: PATIENT_MS, interval: 500 }) : run());
});

test('the page has commands, each with its answer', () => {
  expect(examples.length).toBeGreaterThan(6);
  expect(examples.filter(({ answer }) => answer === undefined).map(({ command }) => command.line)).toEqual([]);
});
