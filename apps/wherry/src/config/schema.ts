import { authSchema, type AuthSection } from './sections/auth.ts';
import { controlSchema, type ControlSection } from './sections/control.ts';
import { gatewaySchema, type GatewaySection } from './sections/gateway.ts';
import { logSchema, type LogSection } from './sections/log.ts';
import { migratorSchema, type MigratorSection } from './sections/migrator.ts';
import { passwordsSchema, type PasswordsSection } from './sections/passwords.ts';
import { revocationSchema, type RevocationSection } from './sections/revocation.ts';
import { rolloutSchema, type RolloutSection } from './sections/rollout.ts';
import { sessionsSchema, type SessionsSection } from './sections/sessions.ts';
import { shardsSchema, type ShardsSection } from './sections/shards.ts';
import { sourceSchema, type SourceSection } from './sections/source.ts';
import { tokensSchema, type TokensSection } from './sections/tokens.ts';

/** The settings, all but the secrets, with every default filled in. */
export interface Settings {
  readonly control: ControlSection;
  readonly shards: ShardsSection;
  readonly source: SourceSection;
  readonly tokens: TokensSection;
  readonly sessions: SessionsSection;
  readonly gateway: GatewaySection;
  readonly auth: AuthSection;
  readonly passwords: PasswordsSection;
  readonly revocation: RevocationSection;
  readonly rollout: RolloutSection;
  readonly migrator: MigratorSection;
  readonly log: LogSection;
}

/** The sections of {@link CONFIG_SCHEMA}. */
export interface SectionSchemas {
  readonly control: typeof controlSchema;
  readonly shards: typeof shardsSchema;
  readonly source: typeof sourceSchema;
  readonly tokens: typeof tokensSchema;
  readonly sessions: typeof sessionsSchema;
  readonly gateway: typeof gatewaySchema;
  readonly auth: typeof authSchema;
  readonly passwords: typeof passwordsSchema;
  readonly revocation: typeof revocationSchema;
  readonly rollout: typeof rolloutSchema;
  readonly migrator: typeof migratorSchema;
  readonly log: typeof logSchema;
}

/** JSON Schema of `wherry.config.json`. Secrets have no place in it: they come from the environment alone. */
export const CONFIG_SCHEMA: {
  readonly $schema: string;
  readonly title: string;
  readonly description: string;
  readonly type: 'object';
  readonly additionalProperties: false;
  readonly properties: SectionSchemas;
} = {
  $schema: 'https://json-schema.org/draft/2020-12/schema',
  title: 'wherry.config.json',
  description: 'Configuration of Wherry. Every key can be overridden by WHERRY_SECTION_KEY; secrets come from the environment alone.',
  type: 'object',
  additionalProperties: false,
  properties: {
    control: controlSchema,
    shards: shardsSchema,
    source: sourceSchema,
    tokens: tokensSchema,
    sessions: sessionsSchema,
    gateway: gatewaySchema,
    auth: authSchema,
    passwords: passwordsSchema,
    revocation: revocationSchema,
    rollout: rolloutSchema,
    migrator: migratorSchema,
    log: logSchema,
  },
};
