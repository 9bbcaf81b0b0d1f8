import type { SessionFormat } from '../format.ts';
import { ExpressCookie } from './express-cookie.ts';
import { expressJsonDecoder } from './express-json.ts';

const express = {
  prefix: 'sess:',
  cookieName: 'connect.sid',
  signedCookie: true,
  decoder: expressJsonDecoder,
  cookie: (options) => new ExpressCookie(options),
} satisfies Partial<SessionFormat>;

/** express-session with connect-redis 7 to 10. */
export const connectRedis: SessionFormat = { ...express, name: 'connect-redis', stores: ['redis'] };

/** express-session with connect-dynamodb 2 and 3. */
export const connectDynamodb: SessionFormat = { ...express, name: 'connect-dynamodb', stores: ['dynamodb'] };
