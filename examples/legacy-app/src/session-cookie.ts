import { createHmac } from 'node:crypto';

/** Name of the session cookie: express-session's default, as most applications have it. */
export const SESSION_COOKIE = 'connect.sid';

/** The value of the session cookie for `sid`, in express-session's form: `s:<sid>.<HMAC-SHA256, base64 without padding>`. */
export function signSessionId(sid: string, secret: string): string {
  return `s:${sid}.${createHmac('sha256', secret).update(sid).digest('base64').replace(/=+$/, '')}`;
}
