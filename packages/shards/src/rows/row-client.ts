import { EventEmitter } from 'node:events';
import pg from 'pg';
import { parse } from 'pg-protocol';
import { MessageSplitter } from './message-splitter.ts';

/** What we use of the driver's connection; its own types leave it out. */
export interface WireConnection extends EventEmitter {
  readonly stream: { cork(): void; uncork(): void };
  /** Text of each statement that the server knows, by name. */
  readonly parsedStatements: Readonly<Record<string, string | undefined>>;
  parse(statement: { readonly name: string; readonly text: string }): void;
  bind(statement: { readonly statement: string; readonly values: readonly unknown[]; readonly binary: boolean }): void;
  execute(portal: { readonly portal: string }): void;
  sync(): void;
  /** Begins to read messages from the stream, once it is a plain one or encrypted. */
  attachListeners(stream: NodeJS.ReadableStream): void;
}

const splitters = new WeakMap<object, MessageSplitter>();

/** The splitter of a connection that a {@link RowClient} has made. */
export function splitterOf(connection: WireConnection): MessageSplitter | undefined {
  return splitters.get(connection);
}

/** A client of the driver whose statements may read their rows themselves. */
export class RowClient extends pg.Client {
  constructor(config?: pg.ClientConfig) {
    super(config);
    const connection = (this as unknown as { readonly connection: WireConnection }).connection;
    connection.attachListeners = (stream) => {
      // The driver's reader takes its bytes from a stream; it is given one that holds what is its own.
      const others = new EventEmitter();
      void parse(others as NodeJS.ReadableStream, (message) => {
        connection.emit(message.name === 'error' ? 'errorMessage' : message.name, message);
      });
      const splitter = new MessageSplitter((bytes) => void others.emit('data', bytes));
      splitters.set(connection, splitter);
      stream.on('data', (chunk: Buffer) => splitter.take(chunk));
    };
  }
}
