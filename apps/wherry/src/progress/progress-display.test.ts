import type { Progress } from '@wherry/migration';
import { expect, test } from 'vitest';
import { ProgressDisplay } from './progress-display.ts';

const CLEAR = '\r\u001b[2K';
const HALF: Progress = { step: 'copy', done: 5000, total: 10_000, rate: 2500, leftMs: 2000, figures: { dead: 3 } };

function display(interactive: boolean, columns = 120): { readonly display: ProgressDisplay; readonly written: string[] } {
  const written: string[] = [];
  return { display: new ProgressDisplay({ interactive, columns, write: (text) => written.push(text) }), written };
}

test('a terminal shows one bar that is drawn again in place', () => {
  const { display: shown, written } = display(true);
  shown.progress(HALF);
  shown.progress({ ...HALF, done: 10_000, leftMs: 0 });
  expect(written).toEqual([
    `${CLEAR}  copy               [${'█'.repeat(12)}${'·'.repeat(12)}]   50 %  5,000/10,000  2,500/s  2 s left  dead 3`,
    `${CLEAR}  copy               [${'█'.repeat(24)}]  100 %  10,000/10,000  2,500/s  dead 3`,
  ]);
});

test('a step that is over stays, and a note does not tear the bar', () => {
  const { display: shown, written } = display(true);
  shown.progress(HALF);
  shown.progress({ ...HALF, step: 'verify' });
  shown.note('a note');
  shown.note('another');
  shown.progress({ ...HALF, step: 'verify' });
  shown.finish();
  shown.finish();
  expect(written.map((text) => text.replace(/^(.* {2}(?:copy|verify)) .*/s, '$1'))).toEqual([
    `${CLEAR}  copy`,
    '\n',
    `${CLEAR}  verify`,
    `${CLEAR}  a note\n`,
    '  another\n',
    `${CLEAR}  verify`,
    '\n',
  ]);
});

test('a bar never runs into the next line of a narrow terminal', () => {
  const { display: shown, written } = display(true, 40);
  shown.progress(HALF);
  expect((written[0] ?? '').length - CLEAR.length).toBe(39);
});

test('elsewhere a line is printed for every new step, for its end, and seldom between', () => {
  const { display: shown, written } = display(false);
  for (let done = 1; done <= 100; done++) shown.progress({ ...HALF, done, total: 100, leftMs: 5_400_000, figures: {} });
  shown.progress({ ...HALF, step: 'switch', done: 0, total: 0, leftMs: undefined, figures: {} });
  expect(written).toEqual([
    '  copy                 1 %  1/100  2,500/s  1.5 h left\n',
    '  copy               100 %  100/100  2,500/s  1.5 h left\n',
    '  switch             0  2,500/s\n',
  ]);
});
