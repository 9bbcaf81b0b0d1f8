import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

/** Signs the cookies of the application. */
export const COOKIE_SECRET = 'a secret for tests';

/** The example application, with express-session and connect-redis, as a process of its own. */
export interface LegacyApp extends AsyncDisposable {
  /** Signs `user<n>` in; answers the cookie's value as it is in the header. */
  signIn(n: number): Promise<string>;
  /** Whether the application itself takes the cookie. */
  accepts(cookie: string): Promise<boolean>;
  /** Signs out by the application's own route. */
  signOut(cookie: string): Promise<void>;
}

/** Starts it with its sessions in Redis under `prefix`. */
export async function startLegacyApp(redisUrl: string, prefix: string, ttlSeconds: number): Promise<LegacyApp> {
  const main = fileURLToPath(new URL('../../../../examples/legacy-app/src/main.ts', import.meta.url));
  const child = spawn(process.execPath, ['--conditions=source', main], {
    env: {
      PATH: process.env['PATH'] ?? '',
      PORT: '0',
      SESSION_SECRET: COOKIE_SECRET,
      SESSION_TTL_SECONDS: String(ttlSeconds),
      LEGACY_SOURCE: redisUrl,
      LEGACY_KEY_PREFIX: prefix,
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = once(child, 'exit');
  const [line] = (await Promise.race([once(createInterface({ input: child.stdout }), 'line'), ended])) as [unknown];
  const url = /http:\S+?(?=,|$)/.exec(String(line))?.[0];
  if (url === undefined) throw new Error('the application ended at its start');
  const withCookie = (cookie: string): { headers: { cookie: string } } => ({ headers: { cookie: `connect.sid=${cookie}` } });
  return {
    signIn: async (n) => {
      const answer = await fetch(`${url}/login`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ name: `user${n}`, password: `pw-user${n}` }),
      });
      // To its end: the application writes the session before the last byte of its answer.
      await answer.text();
      const cookie = /^connect\.sid=([^;]+)/.exec(answer.headers.get('set-cookie') ?? '')?.[1];
      if (cookie === undefined) throw new Error(`no cookie came with ${answer.status}`);
      return cookie;
    },
    accepts: async (cookie) => {
      const answer = await fetch(`${url}/me`, withCookie(cookie));
      await answer.text();
      return answer.status === 200;
    },
    signOut: async (cookie) => {
      const answer = await fetch(`${url}/logout`, { method: 'POST', ...withCookie(cookie) });
      await answer.text();
    },
    [Symbol.asyncDispose]: async () => {
      child.kill('SIGTERM');
      await ended;
    },
  };
}
