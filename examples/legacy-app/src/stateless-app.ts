import { currentPrincipal } from '@wherry/http';
import { principalFromGateway } from '@wherry/http/express';
import express, { type Express, type RequestHandler } from 'express';
import { MOST_CART_ITEMS, answerError, bodyOf, refuse, unauthenticated } from './answers.ts';
import type { Carts } from './carts.ts';
import type { StatelessConfig } from './config.ts';
import { authenticate } from './directory.ts';
import { HandOverRefused, handOver } from './hand-over.ts';

/**
 * The same application after its sessions are retired: no session store, no session cookie. The gateway says who is calling,
 * and signs it; a log-in is handed over to the auth service; the cart has a table of its own.
 */
export function createStatelessApp(carts: Carts, config: StatelessConfig): Express {
  const app = express();
  app.disable('x-powered-by');
  app.get('/healthz', (_request, response) => void response.json({ status: 'ok' }));
  app.use(express.json({ limit: '16kb' }));
  app.use(principalFromGateway({ secret: config.gatewaySecret, required: false }));
  app.post('/login', logIn(config));
  app.get('/me', (_request, response) => {
    const principal = currentPrincipal();
    if (principal === undefined) unauthenticated(response);
    else response.json({ user: { id: principal.userId, roles: principal.authorities, permissions: [] } });
  });
  app.get('/whoami', (_request, response) => {
    const principal = currentPrincipal();
    if (principal === undefined) unauthenticated(response);
    else response.json({ userId: principal.userId, authorities: principal.authorities, kind: principal.kind });
  });
  app.post('/cart', addToCart(carts));
  app.use((_request, response) => void response.status(404).json({ error: 'not_found' }));
  app.use(answerError);
  return app;
}

function logIn(config: StatelessConfig): RequestHandler {
  return async (request, response) => {
    const body = bodyOf(request);
    const user = authenticate(body['name'], body['password']);
    if (user === undefined) {
      response.status(401).json({ error: 'bad_credentials' });
      return;
    }
    try {
      const handed = await handOver(config, user);
      // Tokens are for the client alone.
      response.set('cache-control', 'no-store');
      if (handed.ok) response.json({ ...handed.tokens, user });
      else response.status(503).set('retry-after', '1').json({ error: 'auth_unavailable' });
    } catch (error) {
      if (!(error instanceof HandOverRefused)) throw error;
      console.error(error.message);
      response.status(500).json({ error: 'hand_over_refused' });
    }
  };
}

function addToCart(carts: Carts): RequestHandler {
  return async (request, response) => {
    const { item } = bodyOf(request);
    if (typeof item !== 'string' || item === '' || item.length > 100) return refuse(response, 'item_invalid');
    const principal = currentPrincipal();
    if (principal === undefined) return unauthenticated(response);
    const items = await carts.add(principal.userId, item);
    response.json({ userId: principal.userId, items: Math.min(items, MOST_CART_ITEMS) });
  };
}
