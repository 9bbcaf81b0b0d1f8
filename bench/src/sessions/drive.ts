import type { Round } from '../statistics.ts';

/** Options of {@link drive}. */
export interface DriveOptions {
  readonly inFlight: number;
  readonly seconds: number;
  /** One call of the worker of this number; answers how many operations it did, 0 where it did not do what it should. */
  readonly call: (worker: number) => Promise<number>;
}

/** Keeps `inFlight` calls under way for a while and answers operations a second. */
export async function drive({ inFlight, seconds, call }: DriveOptions): Promise<Round> {
  let done = 0;
  let faults = 0;
  const start = performance.now();
  const end = start + seconds * 1000;
  const worker = async (number: number): Promise<void> => {
    while (performance.now() < end) {
      const operations = await call(number).catch(() => 0);
      if (operations === 0) faults++;
      done += operations;
    }
  };
  await Promise.all(Array.from({ length: inFlight }, async (_, number) => worker(number)));
  return { value: (done / (performance.now() - start)) * 1000, faults };
}
