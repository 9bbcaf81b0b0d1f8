import type { SchemaPart } from '@wherry/core/control';

export { apartFrom } from './apart-from.ts';
export type { RevocationChange, RevocationKind } from './change.ts';
export { REVOCATION_TOPIC, RevocationSet, type RevocationSetOptions, type RevocationSetSize } from './revocation-set.ts';
export {
  Revocations,
  type ChangeListener,
  type EndReason,
  type RaisedGeneration,
  type RevocationsOptions,
  type SessionChange,
  type SessionEnd,
  type TokenEnd,
  type UndrainedEnd,
} from './revocations.ts';
export type { RevocationView } from './view.ts';

/** The table of this package in the control database. */
export const revocationSchema: SchemaPart = { part: 'revocation', folder: new URL('../sql/control/', import.meta.url) };
