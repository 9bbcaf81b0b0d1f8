import { textOfBytes } from '../../source/text-of-bytes.ts';
import { DJANGO_COOKIES } from '../cookie-pick.ts';
import type { SessionFormat } from '../format.ts';
import { PlainCookie } from '../plain-cookie.ts';
import { PICKLED_CANARY } from '../python/pickled-canary.ts';
import { djangoCacheDecoder, djangoSignedDecoder, isTypicalOfDjango } from './django-session.ts';

/** `SessionBase` takes no shorter key, and makes keys of 32 lower-case letters and digits. */
const KEY = /^[0-9A-Za-z]{8,128}$/;

/** `{"canary": 1}`. Without the application's key it is signed by nobody: Django takes such a session for an empty one. */
const SIGNED_CANARY = textOfBytes(Buffer.from(`eyJjYW5hcnkiOjF9:1sXyZ0:${'A'.repeat(43)}`));

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
  canary: PICKLED_CANARY,
};

/** Django 3.1 and newer, session backends that keep the signed text of `SessionBase.encode` in Redis. */
export const djangoSigned: SessionFormat = {
  ...common,
  name: 'django-signed',
  canary: SIGNED_CANARY,
  prefix: 'session:',
  decoder: djangoSignedDecoder,
};
