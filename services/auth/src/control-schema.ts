import type { SchemaPart } from '@wherry/core/control';

/** The tables of this service in the control database. */
export const authControlSchema: SchemaPart = { part: 'auth', folder: new URL('../sql/control/', import.meta.url) };
