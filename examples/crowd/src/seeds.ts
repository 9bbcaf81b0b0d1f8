import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { sessionDigest } from './credential.ts';
import { isObject } from './identity.ts';
import { now } from './ledger.ts';
import { beginSession, type World } from './world.ts';

/** A session that was begun outside, now in record and wallet. */
export interface Adopted {
  readonly session: string;
  readonly username: string;
}

/** Takes over the sessions of a file, one JSON object per line: `{cookie, userId, name, authorities, expiresAt, ttlMs?}`. A line of another form is an error that names its number. */
export async function adoptSeeds(world: World, path: string): Promise<readonly Adopted[]> {
  const adopted: Adopted[] = [];
  const at = now();
  for await (const line of createInterface({ input: createReadStream(path), crlfDelay: Infinity })) {
    if (line.trim() === '') continue;
    const seed = parseSeed(line);
    if (seed === undefined) throw new Error(`line ${adopted.length + 1} of the seed file is not a seeded session`);
    const { cookie, userId, name: username, authorities, expiresAt } = seed;
    const id = sessionDigest(cookie);
    const ttlMs = seed.ttlMs ?? Math.max(0, expiresAt - at);
    beginSession(world, { id, userId, username, authorities, origin: 'seed', beganAt: at, ttlMs, expectedExpiry: expiresAt }, cookie);
    adopted.push({ session: id, username });
  }
  return adopted;
}

interface Seed {
  readonly cookie: string;
  readonly userId: string;
  readonly name: string;
  readonly authorities: readonly string[];
  readonly expiresAt: number;
  readonly ttlMs: number | undefined;
}

function parseSeed(line: string): Seed | undefined {
  let seed: unknown;
  try {
    seed = JSON.parse(line);
  } catch {
    return undefined;
  }
  if (!isObject(seed)) return undefined;
  const { cookie, userId, name, authorities, expiresAt, ttlMs } = seed;
  if (typeof cookie !== 'string' || typeof userId !== 'string' || typeof name !== 'string' || typeof expiresAt !== 'number')
    return undefined;
  if (!Array.isArray(authorities) || !authorities.every((entry) => typeof entry === 'string')) return undefined;
  return { cookie, userId, name, authorities, expiresAt, ttlMs: typeof ttlMs === 'number' ? ttlMs : undefined };
}
