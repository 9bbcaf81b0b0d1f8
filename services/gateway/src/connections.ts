import type { Server } from 'node:http';
import type { Socket } from 'node:net';

/** What is kept of a connection, on the socket itself: a look-up per request would cost more than the rest of it. */
interface Marked extends Socket {
  wherrySeen?: number;
  wherryBusy?: number;
}

/**
 * Closes connections that wait too long for their next request.
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

  stop(): void {
    clearInterval(this.#timer);
  }

  #reap(): void {
    this.#tick++;
    for (const socket of this.#open) {
      if ((socket.wherryBusy ?? 0) > 0 || this.#tick - (socket.wherrySeen ?? this.#tick) <= this.#idleTicks) continue;
      // Whoever does not read what was written would keep a connection that only waits for its end for ever.
      if (socket.writableEnded) socket.destroy();
      else socket.destroySoon();
    }
  }
}
