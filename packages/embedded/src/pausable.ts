import { rmSync } from 'node:fs';
import type { GuardedProcess } from './guarded-process.ts';

/** A server that can be stopped and brought back with its data. */
export interface Pausable {
  /** Stops the server and keeps its data; `start` brings it back on the same port. For tests of outages. */
  pause(): Promise<void>;
  start(): Promise<void>;
  /** Ends it for good; a temporary folder is deleted. */
  stop(): Promise<void>;
}

/** The three calls for a server that runs already. Repeated calls do nothing more. */
export function pausable(running: GuardedProcess, launch: () => Promise<GuardedProcess>, temporaryFolder: string | undefined): Pausable {
  let current: GuardedProcess | undefined = running;
  const pause = async (): Promise<void> => {
    const ending = current;
    current = undefined;
    await ending?.stop();
  };
  return {
    pause,
    start: async () => {
      current ??= await launch();
    },
    stop: async () => {
      await pause();
      if (temporaryFolder !== undefined) rmSync(temporaryFolder, { recursive: true, force: true });
    },
  };
}
