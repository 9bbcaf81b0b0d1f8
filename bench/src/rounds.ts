import { median, validOf, type Round } from './statistics.ts';

/** Something that is measured against others. */
export interface Contender {
  readonly name: string;
  /** One measurement, from a state in which nothing of the last one is under way. */
  readonly measure: () => Promise<Round>;
}

/** Options of {@link alternate}. */
export interface AlternateOptions {
  readonly rounds: number;
  /** What the figures are: `/s`, ` ms`. */
  readonly unit: string;
}

/** All rounds of all contenders, by name. */
export type Rounds = ReadonlyMap<string, readonly Round[]>;

/**
 * Measures the contenders in turn, round after round, each round beginning with another one, and tells the figures as
 * they come. One round before the first warms everything up and does not count.
 */
export async function alternate(contenders: readonly Contender[], options: AlternateOptions): Promise<Rounds> {
  const rounds = new Map<string, Round[]>(contenders.map(({ name }) => [name, []]));
  for (let turn = -1; turn < options.rounds; turn++) {
    const first = Math.max(0, turn) % contenders.length;
    const told: string[] = [];
    for (const { name, measure } of [...contenders.slice(first), ...contenders.slice(0, first)]) {
      const round = await measure();
      if (turn >= 0) rounds.get(name)?.push(round);
      told.push(`${name} ${figure(round.value)}${options.unit}${round.faults > 0 ? ` VOID (${round.faults} faults)` : ''}`);
    }
    console.log(`${turn < 0 ? 'warm-up' : `round ${turn + 1}`}: ${told.join(', ')}`);
  }
  for (const { name } of contenders) console.log(`median ${name} ${figure(middleOf(rounds, name))}${options.unit}`);
  return rounds;
}

/** The rounds of one contender. */
export function roundsOf(rounds: Rounds, name: string): readonly Round[] {
  return rounds.get(name) ?? [];
}

/** The median figure of one contender. */
export function middleOf(rounds: Rounds, name: string): number {
  return median(validOf(roundsOf(rounds, name)).map(({ value }) => value));
}

/** A figure for people: three digits that mean something. */
function figure(value: number): string {
  if (!Number.isFinite(value)) return 'none';
  return value >= 100 ? Math.round(value).toLocaleString('en') : value.toPrecision(3);
}
