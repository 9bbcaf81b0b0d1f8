import { randomBytes } from 'node:crypto';
import { createClient } from 'redis';

/** Where a session of the bench keeps who it belongs to. */
export const IDENTITY = { userId: 'user.id', username: 'user.name', authorities: ['user.roles'] } as const;

const LIFE_S = 86_400;
const PORTION = 1000;
const ROLES = [['ROLE_USER'], ['ROLE_USER', 'orders:read', 'orders:write'], ['ROLE_USER', 'ROLE_ADMIN', 'users:read']];

/** Writes `count` sessions as connect-redis does for express-session: key `sess:` + id, JSON, a life of its own each. */
export async function fillRedis(url: string, count: number): Promise<void> {
  const client = createClient({ url });
  await client.connect();
  try {
    const now = Date.now();
    for (let from = 0; from < count; from += PORTION) {
      const writes: Promise<unknown>[] = [];
      for (let user = from; user < Math.min(count, from + PORTION); user++) {
        const life = LIFE_S - (user % 3600);
        const session = {
          cookie: { originalMaxAge: LIFE_S * 1000, expires: new Date(now + life * 1000).toISOString(), httpOnly: true, path: '/' },
          user: { id: user, name: `user${user}`, roles: ROLES[user % ROLES.length] },
          cart: { items: [user, user + 1], currency: 'EUR' },
          language: 'en',
        };
        writes.push(
          client.set(`sess:${randomBytes(24).toString('base64url')}`, JSON.stringify(session), { expiration: { type: 'EX', value: life } }),
        );
      }
      await Promise.all(writes);
    }
  } finally {
    await client.close();
  }
}

/** Reads everything once, as fast as the client does it: SCAN, then GET and PTTL of each key in one pipeline. Answers how many. */
export async function readAll(url: string): Promise<number> {
  const client = createClient({ url });
  await client.connect();
  let read = 0;
  try {
    let cursor = '0';
    do {
      const page = await client.scan(cursor, { MATCH: 'sess:*', COUNT: PORTION });
      cursor = page.cursor;
      const values = await Promise.all(page.keys.flatMap((key): Promise<unknown>[] => [client.get(key), client.pTTL(key)]));
      for (let i = 0; i < values.length; i += 2) if (typeof values[i] === 'string') read++;
    } while (cursor !== '0');
  } finally {
    await client.close();
  }
  return read;
}
