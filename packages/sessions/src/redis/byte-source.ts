import { WherryError } from '@wherry/core';
import type { SourceSave, SourceSession, SourceStore } from '../source/contract.ts';
import { bytesOfText, textOfBytes } from '../source/text-of-bytes.ts';

/** How the values of a store become the texts that a source hands over, and are taken apart again. */
export interface ValueCoding {
  readonly handedOver: (value: string) => string;
  /** Errors: `source_refused` for a value that no such source has handed over: written as it is, no application could read it. */
  readonly stored: (value: string) => string;
}

/**
 * Hands the values of a source over in another form. `source` speaks in texts with one character for each byte, also of
 * its ids.
 */
export function recodedSource(source: SourceStore, { handedOver, stored }: ValueCoding): SourceStore {
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

/** The same by `textOfBytes`, for values that need not be text. */
export function byteSource(source: SourceStore): SourceStore {
  return recodedSource(source, { handedOver, stored });
}

function handedOver(value: string): string {
  return textOfBytes(Buffer.from(value, 'latin1'));
}

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
