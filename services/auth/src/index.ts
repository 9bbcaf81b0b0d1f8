export { ADVICE_HEADER } from './access-tokens.ts';
export { ANONYMOUS_CLIENT, type AuthClient } from './clients.ts';
export { authControlSchema } from './control-schema.ts';
export type { LogInLimitOptions } from './log-in-limits/options.ts';
export type { AuthServiceOptions, LegacySource } from './options.ts';
export type { PasswordsOptions } from './passwords.ts';
export { PROPAGATED_HEADER } from './routes/logout.ts';
export { createAuthService, type AuthService } from './service.ts';
export { authShardSchema } from './users/shard-schema.ts';
