import express from 'express';
import session from 'express-session';
import { RedisStore } from 'connect-redis';
import { createClient } from 'redis';
import { ownSettings, serve } from '../serving.ts';

interface User {
  readonly id: string;
  readonly authorities: readonly string[];
}

const { redisUrl, cookieSecret } = ownSettings();
const client = createClient({ url: redisUrl });
await client.connect();

const app = express();
app.disable('x-powered-by');
app.disable('etag');
app.use(session({ store: new RedisStore({ client }), secret: cookieSecret, resave: false, saveUninitialized: false }));
app.get('/auth', (request, response) => {
  const { user } = request.session as { readonly user?: unknown } as { readonly user?: User };
  if (user === undefined) {
    response.status(401).end();
    return;
  }
  response.set('x-user-id', user.id);
  response.set('x-authorities', user.authorities.join(','));
  response.status(200).end();
});
serve(app);
