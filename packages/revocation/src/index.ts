import type { SchemaPart } from '@wherry/core/control';

export { REVOCATION_TOPIC, RevocationSet, type RevocationSetOptions } from './revocation-set.ts';
export { Revocations, type EndReason, type RevocationsOptions, type SessionEnd, type UndrainedEnd } from './revocations.ts';
export type { RevocationView } from './view.ts';

/** The table of this package in the control database. */
export const revocationSchema: SchemaPart = { part: 'revocation', folder: new URL('../sql/control/', import.meta.url) };
