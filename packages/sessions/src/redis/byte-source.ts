import { WherryError } from '@wherry/core';
import type { SourceSave, SourceSession, SourceStore } from '../source/contract.ts';
import { bytesOfText, textOfBytes } from '../source/text-of-bytes.ts';

/**
 * Hands the values of a source over as `textOfBytes` makes them, and takes them apart again when it writes. `source` speaks
 * in texts with one character for each byte.
 */
export function byteSource(source: SourceStore): SourceStore {
  const canary = source.canary?.bind(source);
  const found = (session: SourceSession): SourceSession => ({
    ...session,
    rawId: utf8(session.rawId),
    value: session.ended ? '' : handedOver(session.value),
  });
  return {
    ...(source.lives === undefined ? {} : { lives: source.lives }),
    ...(canary === undefined ? {} : { canary }),
    describe: () => source.describe(),
    now: () => source.now(),
    partitions: () => source.partitions(),
    count: () => source.count(),
    close: () => source.close(),
    async scan(partition, cursor, limit, signal) {
      const page = await source.scan(partition, cursor, limit, signal);
      return { ...page, sessions: page.sessions.map(found) };
    },
    async get(rawIds) {
      return (await source.get(rawIds.map(bytes))).map((session) => (session === undefined ? undefined : found(session)));
    },
    async save(rawId, value, ttlMs, epoch, identity): Promise<SourceSave> {
      const saved = await source.save(bytes(rawId), stored(value), ttlMs, epoch, identity);
      return saved.outcome === 'differs' ? { ...saved, value: handedOver(saved.value) } : saved;
    },
    touch: (rawId, ttlMs, epoch) => source.touch(bytes(rawId), ttlMs, epoch),
    end: (rawId, keepMs, epoch) => source.end(bytes(rawId), keepMs, epoch),
    put: async (rawId, value, expireTime, version) => source.put(bytes(rawId), stored(value), expireTime, version),
  };
}

function handedOver(value: string): string {
  return textOfBytes(Buffer.from(value, 'latin1'));
}

/** Errors: `source_refused` for a value that no such source has handed over: written as it is, no application could read it. */
function stored(value: string): string {
  const content = bytesOfText(value);
  if (content === undefined) throw new WherryError('source_refused', 'the value is not one of a source that hands over bytes');
  return content.toString('latin1');
}

function bytes(text: string): string {
  return Buffer.from(text, 'utf8').toString('latin1');
}

function utf8(text: string): string {
  return Buffer.from(text, 'latin1').toString('utf8');
}
