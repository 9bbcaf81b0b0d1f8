import { KOA_COOKIES } from '../cookie-pick.ts';
import type { SessionFormat } from '../format.ts';
import { KeygripCookie } from '../keygrip-cookie.ts';
import { PlainCookie } from '../plain-cookie.ts';
import { koaJsonDecoder } from './koa-json.ts';

/** What an unsigned cookie may hold: it is looked up as it is. The library's own ids are UUIDs behind the application's prefix. */
const ID = /^[!#-+\--:<-[\]-~]{1,256}$/;

/** Its ids hold its own prefix, so the keys have none but the store's. */
const koa = {
  stores: ['redis'],
  prefix: '',
  cookieName: 'koa.sess',
  decoder: koaJsonDecoder,
  canary: '{"canary":"ä\\u0000 🚢","_session":true}',
} satisfies Partial<SessionFormat>;

/** koa-session 5 to 7 with an external store that writes JSON, its cookie signed, as it is by default. */
export const koaSession: SessionFormat = {
  ...koa,
  name: 'koa-session',
  signedCookie: true,
  cookie: ({ name = koa.cookieName, secrets }) => new KeygripCookie({ name, secrets }),
};

/** The same with `signed: false`. */
export const koaSessionUnsigned: SessionFormat = {
  ...koa,
  name: 'koa-session-unsigned',
  signedCookie: false,
  cookie: ({ name = koa.cookieName }) => new PlainCookie({ name, id: ID, rules: KOA_COOKIES }),
};
