import type { WherryConfig } from './config.ts';
import { requireClients, requireControlUrl, requireMasterKey, requireShards, requireSource, requireSourceCookie } from './required.ts';

/** What one process can be; one may be several. */
export const ROLES = ['auth', 'gateway', 'migrator'] as const;

/** One of {@link ROLES}. */
export type Role = (typeof ROLES)[number];

type Requirement = (config: WherryConfig) => unknown;

/** A source may be gone once everything has been carried over; while there is one, its cookies have to be verified. */
const cookieOfSource: Requirement = (config) => (config.source.url === undefined ? undefined : requireSourceCookie(config));

const NEEDS: Readonly<Record<Role, readonly Requirement[]>> = {
  auth: [requireControlUrl, requireShards, requireMasterKey, requireClients, cookieOfSource],
  gateway: [requireControlUrl, requireShards, requireMasterKey, cookieOfSource],
  migrator: [requireControlUrl, requireShards, requireMasterKey, requireSource],
};

/** Checks that everything is set that these roles cannot do without. Errors: `config_invalid` for the first that is not. */
export function checkRoles(config: WherryConfig, roles: readonly Role[]): void {
  for (const role of roles) for (const requirement of NEEDS[role]) requirement(config);
}
