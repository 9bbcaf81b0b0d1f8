import { DJANGO_COOKIES } from '../cookie-pick.ts';
import type { SessionFormat } from '../format.ts';
import { PlainCookie } from '../plain-cookie.ts';
import { djangoCacheDecoder, djangoSignedDecoder, isTypicalOfDjango } from './django-session.ts';

/** `SessionBase` takes no shorter key, and makes keys of 32 lower-case letters and digits. */
const KEY = /^[0-9A-Za-z]{8,128}$/;

const common = {
  stores: ['redis'],
  cookieName: 'sessionid',
  bytes: true,
  signedCookie: false,
  // Names and groups of users lie in Django's database, not in the session.
  identity: { userId: '_auth_user_id' },
  cookie: ({ name = 'sessionid' }) => new PlainCookie({ name, id: KEY, rules: DJANGO_COOKIES }),
} satisfies Partial<SessionFormat>;

/** Django 3.2 and newer, sessions in a cache on Redis. */
export const djangoCache: SessionFormat = {
  ...common,
  name: 'django-cache',
  prefix: ':1:django.contrib.sessions.cache',
  decoder: djangoCacheDecoder,
  isTypical: isTypicalOfDjango,
};

/** Django 3.1 and newer, session backends that keep the signed text of `SessionBase.encode` in Redis. */
export const djangoSigned: SessionFormat = { ...common, name: 'django-signed', prefix: 'session:', decoder: djangoSignedDecoder };
