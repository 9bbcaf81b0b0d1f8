import { mkdirSync, writeFileSync } from 'node:fs';
import { availableParallelism, cpus, release, totalmem, type } from 'node:os';
import { ratioLine, type Ratio } from './ratios.ts';
import type { Rounds } from './rounds.ts';
import type { Round } from './statistics.ts';

/** What a bench found. */
export interface BenchResult {
  /** Figures by part of the bench, e.g. `full load`. */
  readonly parts: readonly { readonly name: string; readonly unit: string; readonly rounds: Rounds }[];
  readonly ratios: readonly Ratio[];
  /** Sizes and settings that belong to the figures. */
  readonly settings: Readonly<Record<string, string | number | boolean>>;
}

const FOLDER = new URL('../results/', import.meta.url);

/** Writes a result as `bench/results/NAME.json`, says what was void, and ends with the lines of its ratios. */
export function tell(name: string, quick: boolean, result: BenchResult): void {
  const parts = result.parts.map(({ name: part, unit, rounds }) => ({ part, unit, contenders: Object.fromEntries(rounds) }));
  const { ratios, settings } = result;
  mkdirSync(FOLDER, { recursive: true });
  const document = { bench: name, date: new Date().toISOString(), quick, machine: machine(), settings, parts, ratios };
  writeFileSync(new URL(`${name}.json`, FOLDER), `${JSON.stringify(document, null, 2)}\n`);
  for (const { part, contenders } of parts) {
    for (const [contender, rounds] of Object.entries(contenders)) {
      const voided = rounds.filter(({ faults }: Round) => faults > 0).length;
      if (voided > 0) console.log(`void: ${voided} of ${rounds.length} rounds of ${contender} (${part})`);
    }
  }
  for (const entry of ratios) console.log(ratioLine(entry));
}

function machine(): Record<string, string | number> {
  const [first] = cpus();
  return {
    cpu: first?.model ?? 'unknown',
    cores: availableParallelism(),
    memoryMiB: Math.round(totalmem() / 2 ** 20),
    system: `${type()} ${release()}`,
    node: process.version,
  };
}
