import { parseArgs } from 'node:util';

/** What the command line says. */
export interface CommandLine {
  readonly gateways: readonly string[];
  readonly auth: string | undefined;
  readonly users: number;
  readonly seed: number;
  readonly seeds: string | undefined;
  readonly ledger: string | undefined;
  readonly firstUser: number;
  readonly thinkMs: number;
  readonly replayAfterMs: number;
  readonly endedSample: number;
  readonly cookieName: string;
}

/** Reads the command line. Throws with the option's name and what is allowed. */
export function readCommandLine(args: readonly string[]): CommandLine {
  const { values } = parseArgs({
    args: [...args],
    options: {
      gateway: { type: 'string', multiple: true },
      auth: { type: 'string' },
      users: { type: 'string', default: '300' },
      seed: { type: 'string', default: '1' },
      seeds: { type: 'string' },
      ledger: { type: 'string' },
      'first-user': { type: 'string', default: '0' },
      'think-ms': { type: 'string', default: '700' },
      'replay-after-ms': { type: 'string', default: '250' },
      'ended-sample': { type: 'string', default: '5000' },
      cookie: { type: 'string', default: 'connect.sid' },
    },
  });
  const gateways = values.gateway ?? [];
  for (const [name, url] of [...gateways.map((gateway) => ['gateway', gateway] as const), ['auth', values.auth] as const]) {
    if (url !== undefined && !/^https?:\/\/./.test(url)) throw new Error(`--${name} is "${url}"; allowed: an http address`);
  }
  return {
    gateways,
    auth: values.auth,
    users: whole('users', values.users, 1_000_000),
    seed: whole('seed', values.seed, 2 ** 31 - 1),
    seeds: values.seeds,
    ledger: values.ledger,
    firstUser: whole('first-user', values['first-user'], 900_000_000),
    thinkMs: whole('think-ms', values['think-ms'], 3_600_000),
    replayAfterMs: whole('replay-after-ms', values['replay-after-ms'], 3_600_000),
    endedSample: whole('ended-sample', values['ended-sample'], 10_000_000),
    cookieName: values.cookie,
  };
}

function whole(name: string, text: string, most: number): number {
  const value = /^\d{1,10}$/.test(text) ? Number(text) : Number.NaN;
  if (!(value <= most)) throw new Error(`--${name} is "${text}"; allowed: a whole number from 0 to ${most}`);
  return value;
}
