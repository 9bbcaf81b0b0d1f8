import type { DumpVerdict } from './verify-dumps.ts';

/** A verdict for people. */
export function verdictText({ equal, sides, compared, same, counts, samples }: DumpVerdict): string {
  const [first, second] = sides;
  const width = Math.max(...Object.keys(counts).map((name) => name.length));
  return [
    `${equal ? 'equal' : 'DIFFERENT'}: first ${first}, second ${second}, ${compared} sessions compared, ${same} alive in both with the same meaning`,
    ...Object.entries(counts).map(([name, count]) => `  ${name.padEnd(width)}  ${count}`),
    ...samples.map(({ difference, id, detail }) => `  ${id}…  ${difference}: ${detail}`),
  ].join('\n');
}
