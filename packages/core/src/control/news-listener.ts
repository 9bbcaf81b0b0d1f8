import pg from 'pg';
import type { Database } from './database.ts';
import { FEED_CHANNEL } from './feed.ts';

const CONNECT_MS = 3000;
const CLOSE_MS = 1000;

/**
 * Listens for the wake-up of the feed on a connection of its own, beside everything else: a connection that cannot be
 * made, or is lost, costs latency and nothing else, because the renewals go on.
 */
export class NewsListener {
  readonly #connectionString: string | undefined;
  readonly #onNews: () => void;
  #client: pg.Client | undefined;
  #connecting: Promise<void> | undefined;
  #closed = false;

  /** `onNews` is called for every wake-up, and once for each new connection: what came before it was not heard. */
  constructor(database: Database, onNews: () => void) {
    this.#connectionString = database.options.connectionString;
    this.#onNews = onNews;
  }

  /** Begins to connect where there is no connection. Cheap; call it often. */
  keep(): void {
    if (this.#client !== undefined || this.#connecting !== undefined || this.#closed) return;
    this.#connecting = this.#connect().finally(() => (this.#connecting = undefined));
  }

  /** Ends the connection. Does not wait for a server that does not answer. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#connecting;
    const client = this.#client;
    if (client === undefined) return;
    const late = Promise.withResolvers<void>();
    const timer = setTimeout(late.resolve, CLOSE_MS);
    await Promise.race([client.end().catch(() => undefined), late.promise]);
    clearTimeout(timer);
  }

  /** Never rejects: the next `keep` tries again. */
  async #connect(): Promise<void> {
    const client = new pg.Client({
      ...(this.#connectionString === undefined ? {} : { connectionString: this.#connectionString }),
      application_name: 'wherry-feed',
      keepAlive: true,
      connectionTimeoutMillis: CONNECT_MS,
      query_timeout: CONNECT_MS,
    });
    const gone = (): void => {
      if (this.#client === client) this.#client = undefined;
      client.end().catch(() => undefined);
    };
    client.on('error', gone);
    client.on('end', gone);
    client.on('notification', this.#onNews);
    try {
      await client.connect();
      await client.query(`LISTEN ${FEED_CHANNEL}`);
      this.#client = client;
      this.#onNews();
    } catch {
      gone();
    }
  }
}
