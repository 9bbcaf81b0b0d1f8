import { connect as connectTcp, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { WherryError } from '@wherry/core';
import { ByteReader, malformed } from './byte-reader.ts';

/** Where a reading of the stream begins. */
export interface LinkPosition {
  readonly history: string;
  /** Bytes of the stream that were read. */
  readonly offset: number;
}

/** What the primary has answered. `snapshot`: it comes first, and the stream follows from `offset`. */
export interface LinkAnswer {
  readonly resumed: boolean;
  readonly history: string;
  readonly offset: number;
}

/** No sign of life for this long ends the connection; primaries send one every 10 s (`repl-ping-replica-period`). */
const SILENCE_MS = 60_000;
/** A snapshot is made before its first byte is sent; primaries send line feeds meanwhile. */
const CONNECT_MS = 5000;

/** A replication connection to a Redis server, as a replica has it (`replication.c`, `syncWithMaster`). */
export class ReplicationLink {
  readonly #socket: Socket;
  readonly reader: ByteReader;

  private constructor(socket: Socket) {
    this.#socket = socket;
    this.reader = new ByteReader(chunksOf(socket));
  }

  /** Connects and signs in. Errors: `source_unavailable`, `source_refused`. */
  static async open(url: URL, signal: AbortSignal): Promise<ReplicationLink> {
    const link = new ReplicationLink(await connected(url, signal));
    try {
      const { username, password } = url;
      if (password !== '') {
        const name = username === '' ? [] : [decodeURIComponent(username)];
        await link.#ask(['AUTH', ...name, decodeURIComponent(password)]);
      }
      await link.#ask(['PING']);
      // Port 0: nobody can reach it, so no sentinel ever takes it for a replica that could be promoted.
      await link.#ask(['REPLCONF', 'listening-port', '0']);
      await link.#ask(['REPLCONF', 'capa', 'eof', 'capa', 'psync2']);
      return link;
    } catch (error) {
      link.close();
      throw error;
    }
  }

  /** Asks for the stream from `from`, or from now with a snapshot before it. */
  async begin(from: LinkPosition | undefined): Promise<LinkAnswer> {
    this.#send(from === undefined ? ['PSYNC', '?', '-1'] : ['PSYNC', from.history, String(from.offset + 1)]);
    const [word, history, offset] = (await this.#answer()).split(' ');
    if (word === '+FULLRESYNC' && history !== undefined && /^\d+$/.test(offset ?? ''))
      return { resumed: false, history, offset: Number(offset) };
    // A primary that was a replica itself goes on with its predecessor's stream under a name of its own (PSYNC2).
    if (word === '+CONTINUE' && from !== undefined) return { resumed: true, history: history ?? from.history, offset: from.offset };
    throw malformed('an unknown answer to PSYNC');
  }

  /** Says how far the stream was dealt with. */
  acknowledge(offset: number): void {
    if (this.#socket.writable) this.#send(['REPLCONF', 'ACK', String(offset)]);
  }

  close(): void {
    this.#socket.destroy();
  }

  async #ask(command: readonly string[]): Promise<void> {
    this.#send(command);
    await this.#answer();
  }

  /** One line; error replies are errors, told apart by whether a repeat can help. */
  async #answer(): Promise<string> {
    for (;;) {
      const line = (await this.reader.line()).replace(/^\n+/, '');
      if (line === '') continue;
      if (!line.startsWith('-')) return line;
      const passing = /^-(?:LOADING|BUSY|MASTERDOWN|NOMASTERLINK|READONLY|ERR max number of clients)/.test(line);
      const code = line.slice(1).split(' ')[0] ?? '';
      if (passing) throw new WherryError('source_unavailable', 'Redis cannot replicate now', { data: { answer: code } });
      throw new WherryError('source_refused', 'Redis does not let us replicate: PSYNC and REPLCONF have to be allowed', {
        data: { answer: code },
      });
    }
  }

  #send(command: readonly string[]): void {
    const parts = command.map((part) => `$${Buffer.byteLength(part)}\r\n${part}\r\n`);
    this.#socket.write(`*${parts.length}\r\n${parts.join('')}`);
  }
}

function connected(url: URL, signal: AbortSignal): Promise<Socket> {
  const { promise, resolve, reject } = Promise.withResolvers<Socket>();
  const host = url.hostname.replace(/^\[|\]$/g, '');
  const port = Number(url.port === '' ? 6379 : url.port);
  const secure = url.protocol === 'rediss:';
  const socket = secure ? connectTls({ host, port, servername: host }) : connectTcp({ host, port });
  const fail = (cause?: unknown): void => {
    socket.destroy();
    signal.removeEventListener('abort', fail);
    reject(new WherryError('source_unavailable', 'Redis cannot be reached', { cause }));
  };
  signal.addEventListener('abort', fail);
  if (signal.aborted) fail();
  socket.setTimeout(CONNECT_MS, () => fail());
  socket.once('error', fail);
  socket.once(secure ? 'secureConnect' : 'connect', () => {
    socket.removeAllListeners('timeout');
    socket.setTimeout(SILENCE_MS, () => socket.destroy());
    socket.setNoDelay(true);
    // From here on whoever reads is told.
    socket.on('error', () => undefined);
    socket.off('error', fail);
    signal.removeEventListener('abort', fail);
    resolve(socket);
  });
  return promise;
}

async function* chunksOf(socket: Socket): AsyncGenerator<Buffer> {
  try {
    for await (const chunk of socket) yield chunk as Buffer;
  } catch (cause) {
    throw new WherryError('source_unavailable', 'the replication connection to Redis was lost', { cause });
  }
}
