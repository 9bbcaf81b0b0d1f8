import type { Server } from 'node:http';
import type { Socket } from 'node:net';

/** What is kept of a connection, on the socket itself: a look-up per request would cost more than the rest of it. */
interface Marked extends Socket {
  wherrySeen?: number;
  wherryBusy?: number;
  /** Bytes that the client's side has taken, and the tick in which they last became more. */
  wherryTaken?: number;
  wherryTakenAt?: number;
}

/**
 * Closes connections that wait too long for their next request, and those whose client has stopped reading its answer:
 * each of them would hold a connection to an upstream too.
 *
 * node:http can do that with a timer that it sets for each answer and clears for each request, which is a measurable
 * part of a short request. Here a request notes the current tick on its socket and nothing else; the reaper looks at
 * all sockets once a tick.
 */
export class Connections {
  readonly #open = new Set<Marked>();
  readonly #timer: NodeJS.Timeout;
  /** Ticks for which a connection may be silent, and one that has said nothing yet. */
  readonly #idleTicks: number;
  readonly #firstTicks: number;
  #tick = 0;

  /**
   * `idleMs`: a connection is closed when it has waited for this long, up to half as long again; `firstMs`: the same for
   * its first request, so that connections on which nothing ever comes do not take the place of others for long.
   */
  constructor(server: Server, idleMs: number, firstMs: number = idleMs) {
    server.keepAliveTimeout = 0;
    const tickMs = Math.max(10, Math.min(idleMs, firstMs) / 2);
    this.#idleTicks = Math.ceil(idleMs / tickMs);
    this.#firstTicks = Math.ceil(firstMs / tickMs);
    this.#timer = setInterval(() => this.#reap(), tickMs);
    this.#timer.unref();
  }

  /** How many are open. */
  get size(): number {
    return this.#open.size;
  }

  /** A new connection. */
  add(socket: Marked): void {
    // As if it had been silent for the difference already.
    socket.wherrySeen = this.#tick - (this.#idleTicks - this.#firstTicks);
    this.#open.add(socket);
    socket.once('close', () => this.#open.delete(socket));
  }

  /** A request came in and is answered before this turn ends. */
  seen(socket: Marked): void {
    socket.wherrySeen = this.#tick;
  }

  /** Until the next request the time for its headers counts, which the server watches by itself. */
  watchedElsewhere(socket: Marked): void {
    socket.wherrySeen = Number.POSITIVE_INFINITY;
  }

  /** A request came in whose answer takes longer: the connection is not idle until `release`. */
  hold(socket: Marked): void {
    socket.wherryBusy = (socket.wherryBusy ?? 0) + 1;
  }

  release(socket: Marked): void {
    socket.wherryBusy = (socket.wherryBusy ?? 1) - 1;
    socket.wherrySeen = this.#tick;
  }

  /** True while an answer is under way on it. */
  isBusy(socket: Marked): boolean {
    return (socket.wherryBusy ?? 0) > 0;
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #reap(): void {
    this.#tick++;
    for (const socket of this.#open) {
      if ((socket.wherryBusy ?? 0) > 0) {
        if (this.#isStuck(socket)) socket.destroy();
        continue;
      }
      if (this.#tick - (socket.wherrySeen ?? this.#tick) <= this.#idleTicks) continue;
      // Whoever does not read what was written would keep a connection that only waits for its end for ever.
      if (socket.writableEnded) socket.destroy();
      else socket.destroySoon();
    }
  }

  /**
   * Whether an answer waits to be sent on and nothing of it could be for as long as a connection may be idle. Bytes count
   * by chunks of a stream, some 64 KiB: a client that takes less than that in this time counts as one that takes nothing.
   */
  #isStuck(socket: Marked): boolean {
    const taken = socket.bytesWritten - socket.writableLength;
    if (!socket.writableNeedDrain || taken !== socket.wherryTaken) {
      socket.wherryTaken = taken;
      socket.wherryTakenAt = this.#tick;
    }
    return this.#tick - (socket.wherryTakenAt ?? this.#tick) > this.#idleTicks;
  }
}
