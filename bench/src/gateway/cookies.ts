import { createHmac, randomBytes } from 'node:crypto';
import { createClient } from 'redis';

const LIFE_S = 86_400;
const AUTHORITIES = ['ROLE_USER', 'orders:read', 'orders:write'];

/** Signs in `users` users at a Redis as connect-redis has them, and answers the values of their Cookie headers. */
export async function signInCookies(redisUrl: string, users: number, secret: string): Promise<string[]> {
  const client = createClient({ url: redisUrl });
  await client.connect();
  try {
    return await Promise.all(
      Array.from({ length: users }, async (_, user) => {
        const id = randomBytes(24).toString('base64url');
        const session = {
          cookie: { originalMaxAge: null, expires: null, httpOnly: true, path: '/' },
          user: { id: String(user), name: `user${user}`, authorities: AUTHORITIES },
        };
        await client.set(`sess:${id}`, JSON.stringify(session), { expiration: { type: 'EX', value: LIFE_S } });
        // express-session signs as the package cookie-signature does: HMAC-SHA-256, base64 without padding.
        const signature = createHmac('sha256', secret).update(id).digest('base64').replace(/=+$/, '');
        return `connect.sid=${encodeURIComponent(`s:${id}.${signature}`)}`;
      }),
    );
  } finally {
    await client.close();
  }
}
