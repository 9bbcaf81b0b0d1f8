import { WherryError } from '@wherry/core';
import type { SourceStore } from '@wherry/sessions';
import type { Faults } from './faults.ts';

/** A real source whose calls fail where `faults` say so. */
export function faultySource(source: SourceStore, faults: Faults): SourceStore {
  const unavailable = (): Error => new WherryError('source_unavailable', 'the source was made to fail');
  return {
    describe: () => source.describe(),
    now: () => source.now(),
    partitions: () => source.partitions(),
    scan: (...args) => source.scan(...args),
    count: () => source.count(),
    get: (...args) => faults.strike('source.get', () => source.get(...args), unavailable),
    save: (...args) => faults.strike('source.save', () => source.save(...args), unavailable),
    put: (...args) => faults.strike('source.put', () => source.put(...args), unavailable),
    touch: (...args) => faults.strike('source.touch', () => source.touch(...args), unavailable),
    end: (...args) => faults.strike('source.end', () => source.end(...args), unavailable),
    close: () => source.close(),
  };
}
