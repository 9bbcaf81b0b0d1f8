import { StructureFault, type StructureLimits } from '../structure-decoder.ts';
import { unpickle } from './unpickle.ts';

/** The dictionary that a pickle holds. Throws `StructureFault`. */
export function pickledSession(bytes: Buffer, limits: StructureLimits): object {
  const value = unpickle(bytes, limits);
  if (typeof value !== 'object' || value === null || Object.getPrototypeOf(value) !== null)
    throw new StructureFault('not_a_session', 'the pickle is no dictionary');
  return value;
}
