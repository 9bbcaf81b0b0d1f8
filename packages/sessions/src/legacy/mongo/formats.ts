import { ExpressCookie } from '../express/express-cookie.ts';
import type { SessionFormat } from '../format.ts';
import { mongoSessionDecoder } from './mongo-session.ts';

/** express-session with connect-mongo 3 to 6, its sessions kept as text or as documents. */
export const connectMongo: SessionFormat = {
  name: 'connect-mongo',
  stores: ['mongodb'],
  prefix: '',
  cookieName: 'connect.sid',
  signedCookie: true,
  decoder: mongoSessionDecoder,
  cookie: (options) => new ExpressCookie(options),
};
