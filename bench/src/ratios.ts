/** What is promised of each ratio: `atLeast` or `atMost`. */
const TARGETS = {
  'gateway-bare': { atLeast: 0.95 },
  'gateway-bare-p99': { atMost: 1.25 },
  'gateway-express-jwt': { atLeast: 4 },
  'gateway-express-session': { atLeast: 5 },
  'gateway-fastify-jwt': { atLeast: 1.5 },
  'sessions-lookup': { atLeast: 5 },
  'sessions-lookup-raw': { atLeast: 0.8 },
  'sessions-login': { atLeast: 6 },
  'migration-redis': { atLeast: 0.6 },
  'renewal-rotate': { atLeast: 2 },
  // Milliseconds.
  'revocation-last-200': { atMost: 100 },
  'revocation-last-200-stream': { atMost: 100 },
  'revocation-cut-off': { atMost: 3100 },
} as const;

/** The name of a ratio. */
export type RatioName = keyof typeof TARGETS;

/** A measured ratio and what became of its promise. */
export interface Ratio {
  readonly name: RatioName;
  readonly value: number;
  readonly comparison: '>=' | '<=';
  readonly target: number;
  readonly met: boolean;
}

/** Judges a measured value. A value that could not be measured is missed. */
export function ratio(name: RatioName, value: number): Ratio {
  const target = TARGETS[name];
  return 'atLeast' in target
    ? { name, value, comparison: '>=', target: target.atLeast, met: value >= target.atLeast }
    : { name, value, comparison: '<=', target: target.atMost, met: value <= target.atMost };
}

/** The line that ends a run, one a ratio. */
export function ratioLine({ name, value, comparison, target, met }: Ratio): string {
  // Cut, not rounded: a line never says that a target is met by the figure it shows while it is not.
  const shown = comparison === '>=' ? Math.floor(value * 1000) / 1000 : Math.ceil(value * 1000) / 1000;
  return `ratio ${name} ${shown} ${comparison} ${target} ${met ? 'met' : 'missed'}`;
}
