import type { Server } from 'node:http';
import type { Socket } from 'node:net';
import type { Answer } from '../answer.ts';
import type { Connections } from '../connections.ts';
import { readPlainRequest, type PlainRequest } from './plain-request.ts';

/** Options of {@link PlainLane}. */
export interface PlainLaneOptions {
  readonly server: Server;
  readonly connections: Connections;
  /** Whether a request with this target is answered here. */
  readonly isQuestion: (target: string) => boolean;
  readonly answer: (request: PlainRequest, peer: Socket) => Answer | Promise<Answer>;
}

/** What is known of a connection. */
interface State {
  /** A question is being answered. */
  asked: boolean;
  /** The client sends nothing more. */
  ended: boolean;
}

type ConnectionListener = (this: Server, socket: Socket) => void;

/**
 * Answers the plainest questions straight from the bytes of their connection: node:http spends more time on the
 * making of request, response and their streams than a check of a known token takes.
 *
 * Each connection begins here and stays as long as every chunk of it is exactly one plain question. With the
 * first that is not, the connection and the unread bytes go to node:http for good; so every reading that is not wholly
 * evident, every limit and every refusal of bad bytes is that of node:http, and there is no second opinion.
 */
export class PlainLane {
  readonly #options: PlainLaneOptions;
  readonly #next: readonly ConnectionListener[];
  readonly #open = new Map<Socket, State>();
  #ending = false;
  #destroyed = false;
  #date = '';
  #dateUntil = 0;

  /** Takes the place of node:http at new connections of `server`. */
  constructor(options: PlainLaneOptions) {
    this.#options = options;
    const { server } = options;
    this.#next = server.listeners('connection') as ConnectionListener[];
    server.removeAllListeners('connection');
    server.on('connection', (socket: Socket) => this.#accept(socket));
  }

  /** Ends the connections that have nothing to be answered; each other one ends with its answer, from now on. */
  drain(): void {
    this.#ending = true;
    for (const [socket, { asked }] of this.#open) if (!asked) socket.destroySoon();
  }

  /** Cuts all, those too that are still to come: a server that listens a moment longer must not wait for them. */
  destroy(): void {
    this.#destroyed = true;
    for (const socket of this.#open.keys()) socket.destroy();
  }

  #accept(socket: Socket): void {
    if (this.#destroyed) {
      socket.destroy();
      return;
    }
    const state: State = { asked: false, ended: false };
    this.#open.set(socket, state);
    this.#options.connections.add(socket);
    const onData = (bytes: Buffer): void => {
      // The end of the connection is on its way.
      if (socket.writableEnded) return;
      const request = readPlainRequest(bytes);
      if (request === undefined || !this.#options.isQuestion(request.url)) {
        this.#open.delete(socket);
        socket.off('data', onData).off('end', onEnd).off('error', onError).off('close', onClose).off('drain', onDrain);
        this.#passOn(socket, bytes);
        return;
      }
      this.#options.connections.seen(socket);
      const answer = this.#options.answer(request, socket);
      if (answer instanceof Promise) this.#answerLater(socket, state, answer);
      else this.#write(socket, answer);
    };
    // Also told while the reading is paused; the answer still goes out (RFC 9112 section 9.6).
    const onEnd = (): void => {
      state.ended = true;
      if (!state.asked) socket.end();
    };
    const onError = (): void => void socket.destroy();
    const onClose = (): void => void this.#open.delete(socket);
    const onDrain = (): void => void socket.resume();
    socket.on('data', onData).on('end', onEnd).on('error', onError).on('close', onClose).on('drain', onDrain);
  }

  /** Nothing more is read until the answer is there: answers go out in the order of their questions. */
  #answerLater(socket: Socket, state: State, answer: Promise<Answer>): void {
    const { connections } = this.#options;
    state.asked = true;
    connections.hold(socket);
    socket.pause();
    void answer.then((settled) => {
      state.asked = false;
      connections.release(socket);
      if (socket.destroyed) return;
      const goesOn = this.#write(socket, settled);
      if (state.ended) socket.end();
      else if (goesOn) socket.resume();
    });
  }

  /** False: the client does not read, and nothing more is read of it until it does. */
  #write(socket: Socket, answer: Answer): boolean {
    const head = `${answer.head}Date: ${this.#now()}\r\n`;
    if (this.#ending) {
      socket.end(`${head}Connection: close\r\n\r\n${answer.body}`, 'latin1');
      socket.destroySoon();
      return true;
    }
    const goesOn = socket.write(`${head}\r\n${answer.body}`, 'latin1');
    if (!goesOn) socket.pause();
    return goesOn;
  }

  /** RFC 9110 section 6.6.1; written anew once a second. */
  #now(): string {
    const now = Date.now();
    if (now >= this.#dateUntil || now < this.#dateUntil - 1000) {
      this.#dateUntil = now - (now % 1000) + 1000;
      this.#date = new Date(now).toUTCString();
    }
    return this.#date;
  }

  #passOn(socket: Socket, bytes: Buffer): void {
    this.#options.connections.watchedElsewhere(socket);
    // Paused, so that the bytes wait for the new listener; it would otherwise get them before it is ready, or never.
    socket.pause();
    socket.unshift(bytes);
    for (const listener of this.#next) listener.call(this.#options.server, socket);
    socket.resume();
  }
}

/** Whether a request target is this path, with or without a query. */
export function isAt(path: string, target: string): boolean {
  return target === path || (target.startsWith(path) && target.charCodeAt(path.length) === 0x3f);
}
