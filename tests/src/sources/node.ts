import { createHmac, randomBytes, randomUUID } from 'node:crypto';
import { openBytes } from './bytes-application.ts';
import { hostileJson } from './hostile.ts';
import type { Owner, Software } from './software.ts';

const LIFE_MS = 3_600_000;
const SECRET = 'a secret of the application';
const SECRETS = { WHERRY_SOURCE_COOKIE_SECRETS: SECRET };

interface Content extends Owner {
  readonly session: Record<string, unknown>;
}

/** What an application of Express or Koa puts into a session: every fifth is of nobody. */
function content(n: number, round: number): Content {
  if (n % 5 === 4) return { userId: null, authorities: [], session: { visits: n, round } };
  const authorities = n % 2 === 0 ? ['staff'] : ['staff', 'a b,c'];
  return {
    userId: String(n),
    authorities,
    session: { user: { id: n, name: `Zoë ${n}`, roles: authorities }, round, text: '\u0000 \u2028 "😀' },
  };
}

function stored(n: number, round: number, life: Record<string, unknown>): Owner & { readonly bytes: Buffer } {
  const { session, ...owner } = content(n, round);
  return { ...owner, bytes: Buffer.from(JSON.stringify({ ...session, ...life })) };
}

const REFUSED = { large: 'too_large', cut: 'not_json', endless: 'too_deep' };

/** Keygrip's signature of a cookie. */
function keygrip(pair: string): string {
  return createHmac('sha1', SECRET).update(pair).digest('base64url');
}

const express: Software = {
  name: 'express-session, connect-redis',
  format: 'connect-redis',
  prefix: (own) => `${own}:sess:`,
  settings: SECRETS,
  lifeMs: LIFE_MS,
  refused: REFUSED,
  newId: () => randomBytes(24).toString('base64url'),
  cookie: (rawId) => {
    const signature = createHmac('sha256', SECRET).update(rawId).digest('base64').replaceAll('=', '');
    return `connect.sid=${encodeURIComponent(`s:${rawId}.${signature}`)}`;
  },
  open: (url, prefix) => {
    const life = { cookie: { originalMaxAge: LIFE_MS, expires: new Date(Date.now() + LIFE_MS).toISOString(), path: '/' } };
    return openBytes(url, prefix, {
      lifeMs: LIFE_MS,
      content: (n, round) => stored(n, round, life),
      hostile: (kind) => Buffer.from(hostileJson(kind, life)),
    });
  },
};

function koaLife(): Record<string, unknown> {
  return { _expire: Date.now() + LIFE_MS, _maxAge: LIFE_MS };
}

function koa(signed: boolean): Software {
  return {
    name: `koa-session, ${signed ? 'signed' : 'unsigned'}`,
    format: signed ? 'koa-session' : 'koa-session-unsigned',
    // Nothing but the cookie tells the two apart.
    planned: 'koa-session',
    prefix: (own) => `${own}:koa:`,
    ...(signed ? { settings: SECRETS } : {}),
    lifeMs: LIFE_MS,
    refused: REFUSED,
    newId: randomUUID,
    cookie: (rawId) => `koa.sess=${rawId}${signed ? `; koa.sess.sig=${keygrip(`koa.sess=${rawId}`)}` : ''}`,
    open: (url, prefix) =>
      openBytes(url, prefix, {
        // The key lives ten seconds longer.
        lifeMs: LIFE_MS + 10_000,
        content: (n, round) => stored(n, round, koaLife()),
        hostile: (kind) => Buffer.from(hostileJson(kind, koaLife())),
        meaning: (bytes) => {
          const text = bytes.toString();
          const end = /"_expire":(\d+)/.exec(text)?.[1];
          return end === undefined || Number(end) > Date.now() ? text.replace(`"_expire":${end}`, '') : 'over';
        },
      }),
  };
}

/** What applications of Node keep in Redis. */
export const NODE: readonly Software[] = [express, koa(true), koa(false)];
