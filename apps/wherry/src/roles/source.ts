import { Sealer, WherryError } from '@wherry/core';
import type { SessionDecoder, SourceChangeFeed, SourceStore } from '@wherry/sessions';
import {
  requireIdentity,
  requireEncryption,
  requireMasterKey,
  requireSource,
  requireSourceFormat,
  type WherryConfig,
} from '../config/index.ts';

/** The source that the configuration names, with only its own driver loaded. It is closed by its `close`. */
export async function openSource(config: WherryConfig): Promise<SourceStore> {
  const address = requireSource(config);
  const format = requireSourceFormat(config);
  const { prefix = format.prefix } = config.source;
  switch (address.kind) {
    case 'redis': {
      const { createKoaRedisSource, createRedisSource, createSpringRedisSource } = await import('@wherry/sessions/redis');
      if (format.name.startsWith('spring-'))
        return createSpringRedisSource({ url: address.url, prefix, indexed: format.name === 'spring-redis-indexed' });
      const options = { url: address.url, prefix, ...(format.canary === undefined ? {} : { canary: format.canary }) };
      if (format.name.startsWith('koa-session')) return createKoaRedisSource(options);
      return createRedisSource({ ...options, bytes: format.bytes === true });
    }
    case 'mongodb': {
      const { createMongoSource, krupteinCipher, webCryptoCipher } = await import('@wherry/sessions/mongodb');
      const encryption = requireEncryption(config);
      const cipherOf = encryption?.kind === 'kruptein' ? krupteinCipher : webCryptoCipher;
      const { url, database, collection } = address;
      const sealer = new Sealer(requireMasterKey(config), 'scan-cursor');
      return createMongoSource({
        url,
        collection,
        prefix,
        sealer,
        ...(database === undefined ? {} : { database }),
        ...(encryption === undefined ? {} : { cipher: cipherOf(encryption.secret) }),
      });
    }
    case 'dynamodb': {
      const { createDynamoSource } = await import('@wherry/sessions/dynamodb');
      const { endpoint, region, table } = address;
      const connection = { region, ...(endpoint === undefined ? {} : { endpoint, ...localCredentials(endpoint) }) };
      return createDynamoSource({ connection, table, prefix, sealer: new Sealer(requireMasterKey(config), 'scan-cursor') });
    }
  }
}

/** What tells of writes to the source that do not pass through us; undefined where nothing is to. Errors: `config_invalid` for a source without it. */
export async function openCapture(config: WherryConfig): Promise<SourceChangeFeed | undefined> {
  const { capture } = config.migrator;
  if (capture === 'off') return undefined;
  const address = requireSource(config);
  if (address.kind !== 'redis' || !/^rediss?:/.test(address.url))
    throw new WherryError('config_invalid', `migrator.capture is "${capture}"; a source that is no single Redis server allows "off" only`);
  const format = requireSourceFormat(config);
  const { prefix = format.prefix } = config.source;
  const { createRedisNotificationFeed, createRedisReplicationFeed } = await import('@wherry/sessions/redis');
  const spring = format.name.startsWith('spring-');
  const options = {
    url: address.url,
    prefix,
    bytes: spring || format.bytes === true,
    // The keys by which Spring notices that a session ran out are none themselves.
    ...(spring ? { rawIdOf: (key: string) => (key.startsWith(`${prefix}expires:`) ? undefined : key.slice(prefix.length)) } : {}),
  };
  return capture === 'replication' ? createRedisReplicationFeed(options) : createRedisNotificationFeed(options);
}

/** The decoder of the source's sessions, by the configured mapping. */
export function sourceDecoder(config: WherryConfig): SessionDecoder {
  return requireSourceFormat(config).decoder({ identity: requireIdentity(config) });
}

/** A store on this machine takes any key; a service gets the SDK's own way of finding one. */
function localCredentials(endpoint: string): { readonly credentials?: { readonly accessKeyId: string; readonly secretAccessKey: string } } {
  const { hostname } = new URL(endpoint);
  const local = hostname === 'localhost' || hostname === '[::1]' || hostname.startsWith('127.');
  return local ? { credentials: { accessKeyId: 'local', secretAccessKey: 'local' } } : {};
}
