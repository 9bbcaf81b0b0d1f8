import { formatsOf, type SessionFormat } from '@wherry/sessions';
import { requireSource, type WherryConfig } from '../config/index.ts';

/**
 * Both repositories of Spring Session keep the same hash for a session; the indexed one keeps a key beside it that tells of its
 * end. Answers the format that has these keys or lacks them; `found` where that is none of Spring's. Errors: those of Redis.
 */
export async function springRepository(found: SessionFormat, config: WherryConfig, rawIds: readonly string[]): Promise<SessionFormat> {
  const address = requireSource(config);
  if (!found.name.startsWith('spring-redis') || address.kind !== 'redis' || rawIds.length === 0) return found;
  const { prefix = found.prefix } = config.source;
  const { createClient } = await import('redis');
  const client = createClient({ url: address.url, socket: { reconnectStrategy: false } });
  client.on('error', () => undefined);
  await client.connect();
  try {
    const there = await client.exists(rawIds.map((rawId) => `${prefix}expires:${rawId}`));
    const name = there > 0 ? 'spring-redis-indexed' : 'spring-redis';
    return formatsOf('redis').find((format) => format.name === name) ?? found;
  } finally {
    client.destroy();
  }
}
