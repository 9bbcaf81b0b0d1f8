export { createApp } from './app.ts';
export { ConfigError, readConfig, type Config, type SourceLocation } from './config.ts';
export { authenticate, userNumber, type User } from './directory.ts';
export { identityFromGateway, identityOf, type Identity } from './identity.ts';
export { seedSessions, type SeededSession, type SeedOptions } from './seed.ts';
export { SESSION_COOKIE, signSessionId } from './session-cookie.ts';
export { openStore, type OpenStore } from './store.ts';
