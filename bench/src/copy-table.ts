import pg from 'pg';

/** The messages of a COPY as the driver hands them to the query under way. */
interface CopyConnection {
  query(text: string): void;
  sendCopyFromChunk(chunk: Buffer): void;
  endCopyFrom(): void;
}

/**
 * One COPY over a connection of the driver (PostgreSQL protocol 3, "COPY Operations"): sends `chunks`, or collects what
 * comes. All is sent at once: what a bench copies fits into memory, and nothing is faster.
 */
class Copy {
  readonly received: Buffer[] = [];
  readonly done: Promise<void>;
  readonly #text: string;
  readonly #chunks: readonly Buffer[];
  #settle: { readonly resolve: () => void; readonly reject: (error: unknown) => void };

  constructor(text: string, chunks: readonly Buffer[] = []) {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#text = text;
    this.#chunks = chunks;
    this.done = promise;
    this.#settle = { resolve, reject };
  }

  submit(connection: CopyConnection): void {
    connection.query(this.#text);
  }

  handleCopyInResponse(connection: CopyConnection): void {
    for (const chunk of this.#chunks) connection.sendCopyFromChunk(chunk);
    connection.endCopyFrom();
  }

  handleCopyData(message: { readonly chunk: Buffer }): void {
    this.received.push(Buffer.from(message.chunk));
  }

  handleCommandComplete(): void {}

  handleError(error: unknown): void {
    this.#settle.reject(error);
  }

  handleReadyForQuery(): void {
    this.#settle.resolve();
  }
}

/** Loads rows in COPY's text form into a table. `target`: the table, with columns where not all are given. */
export async function copyIn(url: string, target: string, chunks: readonly Buffer[]): Promise<void> {
  await run(url, new Copy(`COPY ${target} FROM STDIN`, chunks));
}

/** Reads a table in COPY's text form, in pieces of about 64 KiB. */
export async function copyOut(url: string, target: string): Promise<Buffer[]> {
  const copy = new Copy(`COPY ${target} TO STDOUT`);
  await run(url, copy);
  const pieces: Buffer[] = [];
  // A row a message on the way out; larger messages are cheaper on the way in.
  for (let from = 0; from < copy.received.length; from += 128) pieces.push(Buffer.concat(copy.received.slice(from, from + 128)));
  return pieces;
}

async function run(url: string, copy: Copy): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    client.query(copy as never);
    await copy.done;
  } finally {
    await client.end();
  }
}
