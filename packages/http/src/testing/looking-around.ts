import { EventEmitter, once } from 'node:events';
import { Readable } from 'node:stream';
import { setImmediate as turn, setTimeout as pause } from 'node:timers/promises';
import { currentPrincipal } from '../principal-context.ts';
import type { Call, Route } from './middleware-fixture.ts';

/** Who is calling, as seen at this place. */
export function whoIs(): string {
  return currentPrincipal()?.userId ?? 'nobody';
}

/** A route that looks who is calling at every kind of place where a request can wait, and answers what it saw as a stream. */
export const LOOK: Route = {
  method: 'POST',
  path: '/look',
  work: async ({ request }) => {
    const seen: string[] = [];
    const look = (): number => seen.push(whoIs());
    look();
    await Promise.resolve();
    look();
    await new Promise<void>((resolve) => {
      setTimeout(() => {
        look();
        process.nextTick(() => {
          look();
          queueMicrotask(() => {
            look();
            setImmediate(() => {
              look();
              resolve();
            });
          });
        });
      }, Math.random() * 4);
    });
    await emitted(look);
    const ended = once(request, 'end');
    request.on('data', look);
    request.once('end', look);
    await ended;
    await pause(Math.random() * 4);
    look();
    return lookingStream(seen);
  },
};

/** A route that looks at every piece of the body as it arrives; `came` is told after each. */
export function piecesRoute(came: () => void): Route {
  return {
    method: 'POST',
    path: '/pieces',
    work: async ({ request }) => {
      const seen: string[] = [];
      const ended = new Promise<void>((resolve, reject) => {
        request.once('end', () => {
          seen.push(`end ${whoIs()}`);
          resolve();
        });
        request.once('error', reject);
      });
      request.on('data', (piece: Buffer) => {
        seen.push(`${piece.toString()} ${whoIs()}`);
        came();
      });
      await ended;
      return seen;
    },
  };
}

/** A route whose body the framework parses before it. */
export const PARSED: Route = {
  method: 'POST',
  path: '/parsed',
  work: async ({ body }) => {
    const before = whoIs();
    await turn();
    return [before, whoIs(), (body as { n?: unknown }).n];
  },
};

/** A route after whose answer things still happen; they are told to `seen`. */
export function lateRoute(seen: (where: string, who: string) => void): Route {
  return {
    method: 'GET',
    path: '/after',
    work: ({ request, response }: Call) => {
      response.once('finish', () => {
        seen('finish', whoIs());
        setTimeout(() => seen('timer', whoIs()), 1);
      });
      response.once('close', () => seen('close', whoIs()));
      request.once('close', () => seen('request', whoIs()));
      return whoIs();
    },
  };
}

/** A route whose answer begins and never ends; `seen` is told who was calling when the client has gone. */
export function endlessRoute(seen: (who: string) => void): Route {
  return {
    method: 'GET',
    path: '/endless',
    work: ({ response }: Call) => {
      response.once('close', () => seen(whoIs()));
      const endless = new Readable({ read: () => undefined });
      endless.push('begun');
      return endless;
    },
  };
}

/** Listeners of an emitter run as whoever emits: here that is this request. */
async function emitted(look: () => void): Promise<void> {
  const emitter = new EventEmitter();
  emitter.on('now', look);
  await turn();
  emitter.emit('now');
}

function lookingStream(seen: string[]): Readable {
  return Readable.from(
    (async function* parts() {
      for (let round = 0; round < 3; round++) {
        seen.push(whoIs());
        yield ' ';
        await turn();
      }
      seen.push(whoIs());
      yield JSON.stringify(seen);
    })(),
  );
}
