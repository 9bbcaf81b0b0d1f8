import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';

/** Options of {@link Tunnel}. */
export interface TunnelOptions {
  readonly client: Socket;
  readonly upstream: Duplex;
  /** Called once, when both connections are closed. */
  readonly closed: () => void;
}

/** How far one direction had come when it was looked at last. */
interface Progress {
  taken: number;
  at: number;
}

/** What net and TLS sockets count. */
type Counted = Duplex & { readonly bytesRead?: number; readonly bytesWritten?: number };

/**
 * Two connections as one: what comes on either goes out on the other as it is. Each side is read only as fast as the
 * other one takes it. The end of one direction is passed on and the other direction goes on (both protocols below may
 * need that); a connection that breaks takes the other one with it, after what had come of it has been sent on.
 */
export class Tunnel {
  readonly #client: Socket;
  readonly #upstream: Duplex;
  readonly #toClient: Progress = { taken: 0, at: 0 };
  readonly #toUpstream: Progress = { taken: 0, at: 0 };
  readonly #moved: Progress = { taken: -1, at: 0 };
  #seen: number;

  constructor({ client, upstream, closed }: TunnelOptions) {
    this.#client = client;
    this.#upstream = upstream;
    this.#seen = client.bytesRead;
    let open = 2;
    for (const [from, to] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      from.on('error', () => undefined);
      const gone = (): void => {
        if (!to.destroyed) endSoon(to);
        if (--open === 0) closed();
      };
      // Ends the other one when this one has ended.
      from.pipe(to);
      if (from.closed) process.nextTick(gone);
      else from.once('close', gone);
    }
  }

  /** True when bytes came from the client since this was asked last. */
  used(): boolean {
    const { bytesRead } = this.#client;
    const used = bytesRead !== this.#seen;
    this.#seen = bytesRead;
    return used;
  }

  /** Whether it should be given up at `tick`: one side has taken nothing of what waits for it for `stuck` ticks, or nothing came at all for `idle` ticks. */
  isOver(tick: number, stuck: number, idle: number): boolean {
    const moved = this.#client.bytesRead + ((this.#upstream as Counted).bytesRead ?? 0);
    return (
      stands(this.#toClient, this.#client, tick, stuck) ||
      stands(this.#toUpstream, this.#upstream, tick, stuck) ||
      since(this.#moved, moved, tick) > idle
    );
  }

  /** Cuts both connections. */
  destroy(): void {
    this.#client.destroy();
    this.#upstream.destroy();
  }
}

/** As for answers (`connections.ts`): bytes count by chunks of a stream, some 64 KiB. */
function stands(progress: Progress, to: Counted, tick: number, stuck: number): boolean {
  const taken = (to.bytesWritten ?? 0) - to.writableLength;
  return since(progress, to.writableNeedDrain ? taken : -1 - taken, tick) > stuck && to.writableNeedDrain;
}

function since(progress: Progress, taken: number, tick: number): number {
  if (progress.taken !== taken) {
    progress.taken = taken;
    progress.at = tick;
  }
  return tick - progress.at;
}

/** Sends what waits, then closes. */
function endSoon(stream: Duplex): void {
  if (stream.writableFinished) {
    stream.destroy();
    return;
  }
  stream.once('finish', () => stream.destroy());
  if (!stream.writableEnded) stream.end();
}
