import type { Database } from '@wherry/core/control';
import type { Connection, Submittable } from 'pg';
import type { RowReader } from './message-splitter.ts';
import { splitterOf, type WireConnection } from './row-client.ts';

/** Options of {@link readRows}. */
export interface ReadRowsOptions {
  /** The server keeps the statement under this name on each connection. */
  readonly name: string;
  readonly text: string;
  /** In text form, or in binary form as bytes. */
  readonly values: readonly (string | Uint8Array | null)[];
  /** Is given each row, all columns in binary form. What it throws fails the statement. */
  readonly reader: RowReader;
  /** Longest wait for the whole answer, milliseconds. */
  readonly timeoutMs: number;
}

/** Runs a prepared statement on a pool of `RowClient`s, which hands its rows to `reader` as they come. Errors: those of the driver, and what the reader throws. */
export async function readRows(database: Database, options: ReadRowsOptions): Promise<void> {
  const run = database.query.bind(database) as unknown as (query: Submittable) => Promise<unknown>;
  await run(new RowQuery(options));
}

/**
 * A prepared statement that reads its rows from the bytes in which they come: for the reads of the data path, where what
 * the driver makes of a row costs more than the row. It does not ask for a description of the rows either, since they are
 * those of a statement of our own.
 */
class RowQuery implements Submittable {
  readonly name: string;
  readonly text: string;
  /** Read by the driver. */
  readonly query_timeout: number;
  /** Set by the driver: called once, with the error if there was one. */
  callback?: (error: Error | null) => void;
  readonly #values: ReadRowsOptions['values'];
  readonly #reader: RowReader;
  #fault: Error | undefined;

  constructor({ name, text, values, reader, timeoutMs }: ReadRowsOptions) {
    this.name = name;
    this.text = text;
    this.query_timeout = timeoutMs;
    this.#values = values;
    this.#reader = reader;
  }

  submit(given: Connection): Error | null {
    const connection = given as unknown as WireConnection;
    const splitter = splitterOf(connection);
    if (splitter === undefined) return new Error('the connection does not hand its rows on');
    connection.stream.cork();
    try {
      // The driver notes a statement as known when the server says that it has parsed it.
      if (connection.parsedStatements[this.name] === undefined) connection.parse({ name: this.name, text: this.text });
      connection.bind({ statement: this.name, values: this.#values, binary: true });
      connection.execute({ portal: '' });
      connection.sync();
    } finally {
      connection.stream.uncork();
    }
    splitter.readBy((row) => {
      try {
        this.#reader(row);
      } catch (error) {
        this.#fault ??= error instanceof Error ? error : new Error('a row could not be read', { cause: error });
      }
    });
    return null;
  }

  handleError(error: Error): void {
    this.callback?.(error);
  }

  handleReadyForQuery(): void {
    this.callback?.(this.#fault ?? null);
  }

  /** Rows never come this way; if another version of the driver sends them here, nobody must take the answer for an empty one. */
  handleDataRow(): void {
    this.#fault = new Error('the driver has read a row that was not its own');
  }

  handleRowDescription(): void {}

  handleCommandComplete(): void {}

  handleEmptyQuery(): void {}

  handlePortalSuspended(): void {}
}
