import type { AuthClient } from '@wherry/auth';
import { MAPPED, formatsOf, mappedFormat, type IdentityMapping, type SessionCookie, type SessionFormat } from '@wherry/sessions';
import { requiredShardAddresses } from '@wherry/shards';
import { clientKeys } from './client-keys.ts';
import type { WherryConfig } from './config.ts';
import { configFault } from './fault.ts';
import { clientVariable } from './secret-values.ts';
import { parseSourceUrl, type SourceAddress } from './source-url.ts';

/** The address of the control database. Errors: `config_invalid` when none is set. */
export function requireControlUrl(config: WherryConfig): string {
  return config.control.url?.reveal() ?? missing('control.url', 'WHERRY_CONTROL_URL or WHERRY_CONTROL_URL_FILE');
}

/** The 32 bytes that seal what is kept secret at rest. Errors: `config_invalid` when none are set. */
export function requireMasterKey(config: WherryConfig): Buffer {
  return config.masterKey?.reveal() ?? missing('masterKey', 'WHERRY_MASTER_KEY or WHERRY_MASTER_KEY_FILE, 32 bytes in base64');
}

/** Every shard with its address, in the order of the slot map. Errors: `config_invalid` when there is none or one lacks its address. */
export function requireShards(config: WherryConfig): readonly { readonly name: string; readonly url: string }[] {
  return requiredShardAddresses(config.shards.list.map(({ name, url }) => ({ name, url: url?.reveal() })));
}

/** Where the source is. Errors: `config_invalid` when it is not set. */
export function requireSource(config: WherryConfig): SourceAddress {
  const url = config.source.url?.reveal();
  return (
    (url === undefined ? undefined : parseSourceUrl(url)) ??
    missing('source.url', 'WHERRY_SOURCE_URL, WHERRY_SOURCE_URL_FILE or source.url in the file')
  );
}

/** How the application keeps its sessions. Errors: `config_invalid` for a format that the source cannot have. */
export function requireSourceFormat(config: WherryConfig): SessionFormat {
  const { kind } = requireSource(config);
  const { format: name, mapping } = config.source;
  const possible = [...formatsOf(kind), ...(name === MAPPED ? [mappedFormat(mapping)] : [])].filter(({ stores }) => stores.includes(kind));
  const format = name === undefined ? possible[0] : possible.find((each) => each.name === name);
  if (format !== undefined) return format;
  const allowed = possible.map((each) => each.name).join(', ');
  throw configFault({ key: 'source.format', is: `is "${name}", which no source of kind ${kind} has`, allowed: `one of ${allowed}` });
}

/** Where most applications keep who is signed in, whatever keeps their sessions. */
const USUAL_IDENTITY = { userId: 'user.id', username: 'user.name', authorities: ['user.roles', 'user.permissions'] } as const;

/** Where a session says whose it is: as configured, and what is not, as the format has it. Errors: as {@link requireSourceFormat}. */
export function requireIdentity(config: WherryConfig): IdentityMapping {
  return { ...(requireSourceFormat(config).identity ?? USUAL_IDENTITY), ...config.source.identity };
}

/** How the application encrypts what it stores; undefined: not at all. Errors: `config_invalid` when its secret is not set, or the source knows no encryption. */
export function requireEncryption(config: WherryConfig): { readonly kind: string; readonly secret: string } | undefined {
  const { encryption: kind, encryptionSecret } = config.source;
  if (kind === undefined) return undefined;
  const { kind: store } = requireSource(config);
  if (store !== 'mongodb')
    throw configFault({ key: 'source.encryption', is: `is set for a source of kind ${store}`, allowed: 'none, or a MongoDB source' });
  const secret = encryptionSecret?.reveal();
  return {
    kind,
    secret: secret ?? missing('source.encryptionSecret', 'WHERRY_SOURCE_ENCRYPTION_SECRET or WHERRY_SOURCE_ENCRYPTION_SECRET_FILE'),
  };
}

/** The cookie that names a session of the application. Errors: `config_invalid` when its secrets are not set. */
export function requireSourceCookie(config: WherryConfig): SessionCookie {
  const format = requireSourceFormat(config);
  const secrets = config.source.cookieSecrets?.reveal();
  if (format.signedCookie && secrets === undefined)
    missing('source.cookieSecrets', 'WHERRY_SOURCE_COOKIE_SECRETS or WHERRY_SOURCE_COOKIE_SECRETS_FILE');
  return format.cookie({ name: config.source.cookieName ?? format.cookieName, secrets: secrets ?? [] });
}

/**
 * The clients of the token endpoint with all that they need; those without secret and keys are public. Errors:
 * `config_invalid` when a client that is not public has neither, or its keys cannot be used.
 */
export function requireClients(config: WherryConfig): readonly AuthClient[] {
  return config.auth.clients.map((client) => {
    const { id, public: isPublic, operator, assertsUsers, grants, audiences, authorities, tokenSeconds } = client;
    const settings = {
      id,
      grants,
      authorities,
      ...(audiences.length === 0 ? {} : { audiences }),
      ...(tokenSeconds === undefined ? {} : { tokenSeconds }),
    };
    if (isPublic) return settings;
    const keys = clientKeys(client);
    const secret = client.secret?.reveal();
    const needsSecret = operator || assertsUsers;
    if (secret === undefined && (keys === undefined || needsSecret)) {
      const variable = clientVariable(id);
      return missing(`auth.clients.${id}.secret`, `${variable} or ${variable}_FILE${needsSecret ? '' : ', or keys in jwks or jwksFile'}`);
    }
    return { ...settings, operator, assertsUsers, ...(secret === undefined ? {} : { secret }), ...(keys === undefined ? {} : { keys }) };
  });
}

function missing(key: string, allowed: string): never {
  throw configFault({ key, is: 'is not set', allowed });
}
