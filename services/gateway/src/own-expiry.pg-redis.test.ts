import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { PATIENT_MS } from '@wherry/embedded/testing';
import { carriedSessionKey, mappedFormat, type CarriedSessions, type SourceStore } from '@wherry/sessions';
import { createRedisSource } from '@wherry/sessions/redis';
import { Workbench, type RunningGateway } from './testing/workbench.ts';

const HOUR = 3_600_000;
/** Two clocks of one machine, and whole milliseconds. */
const ROUNDING_MS = 1000;
const format = mappedFormat({ value: 'msgpack', expireTime: 'end', timeUnit: 'ms', idleUnit: 's', cookie: 'plain' });

let bench: Workbench;
let source: SourceStore;
let gateway: RunningGateway;
let carried: CarriedSessions;
beforeAll(async () => {
  bench = await Workbench.create(inject('postgresUrl'), 'source');
  source = createRedisSource({ url: inject('redisUrl'), prefix: `${randomBytes(6).toString('hex')}:`, bytes: true, timeoutMs: PATIENT_MS });
  gateway = await bench.gateway({});
  carried = gateway.runtime.carry({ source, decode: format.decoder({ identity: { userId: 'id' } }) });
});
afterAll(async () => {
  await bench[Symbol.asyncDispose]();
  await source.close();
});

/** `{"id": "u", "end": …}` in MessagePack, as a source of bytes hands it over. */
function value(end: number): string {
  const moment = Buffer.alloc(9);
  moment.writeUInt8(0xcf);
  moment.writeBigUInt64BE(BigInt(end), 1);
  const bytes = Buffer.concat([Buffer.from([0x82, 0xa2, 0x69, 0x64, 0xa1, 0x75, 0xa3, 0x65, 0x6e, 0x64]), moment]);
  return JSON.stringify({ base64: bytes.toString('base64') });
}

/** A session that its store keeps for `ttlMs`, and that says itself that it ends at `end`. */
async function stored(ttlMs: number | null, end: number): Promise<string> {
  const rawId = randomBytes(16).toString('hex');
  await source.save(rawId, value(end), ttlMs, 0);
  return rawId;
}

async function expiries(rawId: string): Promise<{ readonly target: number; readonly source: number | null }> {
  const { slot, id } = carriedSessionKey(rawId);
  await gateway.runtime.target.flushSlots([slot]);
  const found = await gateway.runtime.target.getById(slot, id);
  if (found.state !== 'live' || found.record.expireTime === null) throw new Error('it does not live, or for ever');
  const [there] = await source.get([rawId]);
  return { target: found.record.expireTime, source: there?.expireTime ?? null };
}

describe('a session that says itself when it ends', () => {
  it('is over at that moment, whatever its store says', async () => {
    const past = await stored(HOUR, Date.now() - 1000);
    expect(await carried.read(past)).toEqual({ state: 'absent' });
    const end = Date.now() + HOUR;
    const read = await carried.carry(await stored(null, end));
    expect(read).toMatchObject({ state: 'live', userId: 'u' });
    expect(Math.abs((read.state === 'live' ? (read.expireTime ?? 0) : 0) - end)).toBeLessThan(ROUNDING_MS);
  });

  it('is touched up to that moment and never past it', async () => {
    const end = Date.now() + 2 * HOUR;
    const rawId = await stored(HOUR, end);
    await carried.carry(rawId);
    const { slot, id } = carriedSessionKey(rawId);
    // Without an idle time of its own a touch gives it a day, of which the end leaves two hours.
    for (let n = 0; n < 3; n++) {
      expect(await carried.touchById(slot, id)).toBe('touched');
      for (const expireTime of Object.values(await expiries(rawId))) expect(Math.abs((expireTime ?? 0) - end)).toBeLessThan(ROUNDING_MS);
    }
  });
});
