import { WherryError } from '@wherry/core';
import { ProgressDisplay, screenOf } from '../progress/progress-display.ts';
import type { Terminal } from '../terminal.ts';
import { checkDemoSource, type DemoOptions } from './options.ts';
import { isFlawless, outcomeLine, outcomeTable, phasesLine } from './outcome.ts';
import { buildStage, type Stage } from './stage.ts';
import { playStory } from './story.ts';

/** Plays the demonstration and prints its outcome. Errors: `config_invalid`, `demo_flawed` when a figure that should be 0 is not. */
export async function runDemo(options: DemoOptions, terminal: Terminal): Promise<void> {
  checkDemoSource(options.source);
  if (options.sessions < options.users)
    throw new WherryError('config_invalid', `--sessions is ${options.sessions}; allowed is at least the number of users, ${options.users}`);
  const begun = performance.now();
  const display = new ProgressDisplay(screenOf(process.stdout));
  const say = (text: string): void => display.note(text);
  const chapter = (text: string): void => {
    display.finish();
    terminal.out(`${clock(performance.now() - begun)}  ${text}`);
  };
  const ending = interrupted();
  chapter('servers start, all on loopback, all from npm unless told otherwise');
  const stage = await buildStage(options, say);
  try {
    const story = playStory(stage, options, { chapter, say, display });
    // Interrupted, the story fails wherever it stands; nobody waits for it any more.
    story.catch(() => undefined);
    const end = await Promise.race([story, ending.then(() => undefined)]);
    if (end === undefined) return;
    display.finish();
    terminal.out('');
    terminal.out(outcomeTable(end.report, (performance.now() - begun) / 1000));
    for (const offence of end.report.offences) terminal.out(`fault: ${JSON.stringify(offence)}`);
    terminal.out(outcomeLine(end));
    terminal.out(phasesLine(end));
    if (!options.exit) await stayUntil(ending, stage, terminal);
    if (!isFlawless(end)) throw new WherryError('demo_flawed', 'a figure is not what it should be');
  } finally {
    await stage.close();
  }
}

async function stayUntil(ending: Promise<void>, stage: Stage, terminal: Terminal): Promise<void> {
  terminal.out('');
  terminal.out(`everything keeps running: gateway ${stage.gatewayUrl}, auth ${stage.authUrl}; Ctrl-C ends it`);
  await ending;
}

/** Resolves on the first SIGINT or SIGTERM; a second one ends the process at once. */
function interrupted(): Promise<void> {
  return new Promise((resolve) => {
    let told = false;
    for (const signal of ['SIGINT', 'SIGTERM'] as const) {
      process.on(signal, () => {
        if (told) process.exit(130);
        told = true;
        resolve();
      });
    }
  });
}

function clock(ms: number): string {
  const seconds = Math.floor(ms / 1000);
  return `[${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}]`;
}
