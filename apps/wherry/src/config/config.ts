import type { Settings } from './schema.ts';
import type { Secret } from './secret.ts';
import type { AuthSection, ClientEntry } from './sections/auth.ts';
import type { ControlSection } from './sections/control.ts';
import type { GatewaySection } from './sections/gateway.ts';
import type { RevocationSection } from './sections/revocation.ts';
import type { ShardsSection } from './sections/shards.ts';
import type { SourceSection } from './sections/source.ts';

/** One shard; its address is undefined where none is set. */
export interface ShardConfig {
  readonly name: string;
  readonly url: Secret<string> | undefined;
}

/** A client of the token endpoint with its secret. */
export interface ClientConfig extends ClientEntry {
  /** undefined: it is a public client, or none is set. */
  readonly secret: Secret<string> | undefined;
}

/** The whole configuration: validated, defaults filled in, secrets wrapped so that they do not get printed. */
export interface WherryConfig extends Omit<Settings, 'control' | 'shards' | 'source' | 'gateway' | 'auth' | 'revocation'> {
  /** 32 bytes. */
  readonly masterKey: Secret<Buffer> | undefined;
  readonly control: ControlSection & { readonly url: Secret<string> | undefined };
  /** The order of the list is that of the slot map. */
  readonly shards: Omit<ShardsSection, 'list'> & { readonly list: readonly ShardConfig[] };
  readonly source: Omit<SourceSection, 'url'> & {
    readonly url: Secret<string> | undefined;
    /** Newest first. */
    readonly cookieSecrets: Secret<readonly string[]> | undefined;
    readonly encryptionSecret: Secret<string> | undefined;
  };
  readonly revocation: RevocationSection & {
    /** undefined: revocations are told by the control database alone. */
    readonly streamUrl: Secret<string> | undefined;
  };
  readonly gateway: GatewaySection & {
    /** Sign the identity headers, newest first; undefined: they are not signed. */
    readonly upstreamSecrets: Secret<readonly string[]> | undefined;
  };
  readonly auth: Omit<AuthSection, 'clients'> & {
    readonly clients: readonly ClientConfig[];
    /** Bearer of the operator's routes; undefined: only clients marked as operators reach them. */
    readonly operatorSecret: Secret<string> | undefined;
  };
}
