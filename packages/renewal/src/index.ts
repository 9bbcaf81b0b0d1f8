export { BEARER_PREFIX, RENEWAL_PREFIX, newFamilyId, parseRenewalCredential, type RenewalSelector } from './credential.ts';
export type { FamilySweep, FamilySweepOptions } from './dead-families.ts';
export type { ClientEvidence } from './evidence.ts';
export type { Family, FamilyEndReason, FamilyMode } from './family.ts';
export type { BearerRenewal, BegunFamily, CredentialRenewal, FamilyBeginning, Presenting, Renewal } from './renewal.ts';
export { tokenFamilySchema } from './schema.ts';
export { TokenFamilies, type TokenFamiliesOptions } from './token-families.ts';
