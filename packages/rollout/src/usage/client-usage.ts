import { silentLogger, type Component, type Logger } from '@wherry/core';
import type { Queryable } from '@wherry/core/control';
import type { NamedClient } from './client-naming.ts';

/** What a request was signed in by. */
export type UsedCredential = 'jwt' | 'session_token' | 'cookie';

/** Options of {@link ClientUsage}. Times in milliseconds. */
export interface ClientUsageOptions {
  readonly database: Queryable;
  /** Id of this process's registration now; another one after a lost lease. */
  readonly instanceId: () => string;
  readonly role: string;
  /** Epoch ms by the control database's clock. */
  readonly now: () => number;
  /** How often the counts are added to the table; default 5000. */
  readonly everyMs?: number;
  /** Most clients and versions held apart; more count under an empty version. Default 1000. */
  readonly size?: number;
  readonly log?: Logger;
}

/** The uses of one client, version and credential since the last report. Kept by whoever sees many of them. */
export class UsageCounter {
  readonly clientId: string;
  readonly version: string;
  readonly kind: UsedCredential;
  requests = 0;
  /** Epoch ms; of meaning where `requests` is not 0. */
  first = 0;
  last = 0;

  constructor({ clientId, version }: NamedClient, kind: UsedCredential) {
    this.clientId = clientId;
    this.version = version;
    this.kind = kind;
  }

  /** One more request. `now`: epoch ms. */
  use(now: number): void {
    if (this.requests++ === 0) this.first = now;
    this.last = now;
  }
}

/**
 * Which clients use which credential, as this process sees it; added to the table `client_usage` every few seconds and at
 * the end. While the control database is away nothing is forgotten: the counts grow on. What a process that is killed had
 * not reported is made up for by {@link readObservedUse}, which takes its last seconds for a use.
 */
export class ClientUsage implements Component {
  readonly name = 'client-usage';
  readonly #options: ClientUsageOptions;
  readonly #log: Logger;
  readonly #counters = new Map<string, UsageCounter>();
  #since = 0;
  #reportedAs = '';
  #timer: NodeJS.Timeout | undefined;
  #reporting: Promise<void> = Promise.resolve();
  #failures = 0;
  #busy = false;

  constructor(options: ClientUsageOptions) {
    this.#options = options;
    this.#log = options.log ?? silentLogger;
  }

  /** The counter of a client, version and credential. */
  of(client: NamedClient, kind: UsedCredential): UsageCounter {
    const name = `${kind} ${client.clientId} ${client.version}`;
    const known = this.#counters.get(name);
    if (known !== undefined) return known;
    // Versions are the client's own words: without a bound they would be a way to fill memory and table.
    if (client.version !== '' && this.#counters.size >= (this.#options.size ?? 1000))
      return this.of({ clientId: client.clientId, version: '' }, kind);
    const counter = new UsageCounter(client, kind);
    this.#counters.set(name, counter);
    return counter;
  }

  /** Begins to report; the first report is made before it resolves, so that nothing goes unobserved from then on. Errors: those of the database. */
  async run(): Promise<void> {
    await this.#report(false);
    this.#timer = setInterval(() => this.#tick(), this.#options.everyMs ?? 5000);
  }

  /** Reports what is left, and that nothing more will come. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    if (this.#timer === undefined) return;
    this.#timer = undefined;
    await this.#reporting;
    await this.#report(true).catch((error: unknown) => this.#log.warn('the last uses of credentials could not be reported', { error }));
  }

  /** One report at a time: the next one takes what has come meanwhile. */
  #tick(): void {
    if (this.#busy) return;
    this.#busy = true;
    this.#reporting = this.#report(false)
      .then(() => void (this.#failures = 0))
      .catch((error: unknown) => {
        if (this.#failures++ === 0) this.#log.warn('uses of credentials cannot be reported; they are kept', { error });
      })
      .finally(() => void (this.#busy = false));
  }

  async #report(closed: boolean): Promise<void> {
    const { database, instanceId, role, now } = this.#options;
    const instance = instanceId();
    const until = now();
    if (instance !== this.#reportedAs) this.#since = until;
    const used = [...this.#counters.values()].filter(({ requests }) => requests > 0);
    const rows = used.map(({ clientId, version, kind, requests, first, last }) => ({ clientId, version, kind, requests, first, last }));
    await database.query(REPORT, [
      rows.map(({ clientId }) => clientId),
      rows.map(({ version }) => version),
      rows.map(({ kind }) => kind),
      rows.map(({ first }) => first),
      rows.map(({ last }) => last),
      rows.map(({ requests }) => requests),
      instance,
      role,
      this.#since,
      until,
      closed,
    ]);
    this.#reportedAs = instance;
    // Uses that came during the statement stay; their first is the first that was reported, which is earlier.
    for (const [at, counter] of used.entries()) counter.requests -= rows[at]?.requests ?? 0;
  }
}

/** Adds, never lowers: sums of many processes, and a report that is repeated after a lost answer counts twice at worst. */
const REPORT = `
  WITH used AS (
    INSERT INTO client_usage AS u (client_id, version, kind, first_used, last_used, requests)
    SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::bigint[], $6::bigint[]) r(client_id, version, kind, first, last, n)
    ORDER BY client_id, version, kind
    ON CONFLICT (client_id, version, kind) DO UPDATE SET requests = u.requests + excluded.requests,
      first_used = least(u.first_used, excluded.first_used), last_used = greatest(u.last_used, excluded.last_used))
  INSERT INTO usage_reporter AS r (instance, role, since, until, closed) VALUES ($7, $8, $9, $10, $11)
  ON CONFLICT (instance) DO UPDATE SET until = greatest(r.until, excluded.until), closed = excluded.closed`;
