import express, { type Express, type Request, type RequestHandler } from 'express';
import session from 'express-session';
import { MOST_CART_ITEMS, answerError, bodyOf, isWhole, refuse, unauthenticated } from './answers.ts';
import type { Config } from './config.ts';
import { authenticate, type User } from './directory.ts';
import { identityFromGateway, identityOf } from './identity.ts';
import { seedSessions } from './seed.ts';
import { SESSION_COOKIE } from './session-cookie.ts';

declare module 'express-session' {
  interface SessionData {
    user?: User;
    cart?: string[];
  }
}

/**
 * The application's routes. Whatever changes a session saves it before answering: express-session answers 200 even when
 * the save at the end of a response fails.
 */
export function createApp(store: session.Store, config: Config): Express {
  const app = express();
  app.disable('x-powered-by');
  app.get('/healthz', (_request, response) => void response.json({ status: 'ok' }));
  app.use(express.json({ limit: '16kb' }));
  // An example has a route that no application should have: it is reached from this machine only, never through a proxy.
  app.post('/seed', loopbackOnly, seed(store, config));
  app.use(
    session({
      store,
      name: SESSION_COOKIE,
      secret: config.secret,
      resave: false,
      saveUninitialized: false,
      rolling: true,
      cookie: { maxAge: config.idleMs, httpOnly: true, sameSite: 'lax' },
    }),
  );
  app.post('/login', logIn);
  app.get(
    '/me',
    (request, response) => void (request.session.user ? response.json({ user: request.session.user }) : unauthenticated(response)),
  );
  app.get('/whoami', (request, response) => {
    const identity = (config.trustGateway ? identityFromGateway(request) : undefined) ?? sessionIdentity(request);
    if (identity === undefined) unauthenticated(response);
    else response.json(identity);
  });
  app.post('/cart', addToCart);
  app.post('/rotate', rotate);
  app.post('/logout', logOut);
  app.use((_request, response) => void response.status(404).json({ error: 'not_found' }));
  app.use(answerError);
  return app;
}

const logIn: RequestHandler = async (request, response) => {
  const body = bodyOf(request);
  const user = authenticate(body['name'], body['password']);
  if (user === undefined) {
    response.status(401).json({ error: 'bad_credentials' });
    return;
  }
  // A new id at log-in: an id planted before it would otherwise become a signed-in one (session fixation).
  await finished((done) => request.session.regenerate(done));
  request.session.user = user;
  await finished((done) => request.session.save(done));
  response.json({ user });
};

const addToCart: RequestHandler = async (request, response) => {
  const { item } = bodyOf(request);
  if (typeof item !== 'string' || item === '' || item.length > 100) return refuse(response, 'item_invalid');
  const { user } = request.session;
  if (user === undefined) return unauthenticated(response);
  request.session.cart = [...(request.session.cart ?? []), item].slice(-MOST_CART_ITEMS);
  await finished((done) => request.session.save(done));
  response.json({ user, items: request.session.cart.length });
};

const rotate: RequestHandler = async (request, response) => {
  const { user, cart } = request.session;
  if (user === undefined) return unauthenticated(response);
  await finished((done) => request.session.regenerate(done));
  request.session.user = user;
  if (cart !== undefined) request.session.cart = cart;
  await finished((done) => request.session.save(done));
  response.json({ user });
};

const logOut: RequestHandler = async (request, response) => {
  await finished((done) => request.session.destroy(done));
  response.clearCookie(SESSION_COOKIE).status(204).end();
};

function seed(store: session.Store, config: Config): RequestHandler {
  return async (request, response) => {
    const body = bodyOf(request);
    const [from, count, ttlSeconds = config.idleMs / 1000] = [body['from'], body['count'], body['ttlSeconds'] ?? undefined];
    if (!isWhole(from, 0, 900_000_000) || !isWhole(count, 1, 1_000_000) || !isWhole(ttlSeconds, 1, 31_536_000)) {
      return refuse(response, 'seed_invalid');
    }
    response.type('application/x-ndjson');
    await seedSessions(response, { store, secret: config.secret, from, count, idleMs: ttlSeconds * 1000 });
    response.end();
  };
}

const loopbackOnly: RequestHandler = (request, response, next) => {
  const address = request.socket.remoteAddress ?? '';
  const direct = request.headers['x-forwarded-for'] === undefined && request.headers.forwarded === undefined;
  if (direct && /^(127\.|::1$|::ffff:127\.)/.test(address)) next();
  else response.status(404).json({ error: 'not_found' });
};

function sessionIdentity(request: Request): ReturnType<typeof identityOf> | undefined {
  return request.session.user === undefined ? undefined : identityOf(request.session.user);
}

function finished(work: (done: (error?: unknown) => void) => unknown): Promise<void> {
  return new Promise((resolve, reject) => {
    work((error) => (error ? reject(error) : resolve()));
  });
}
