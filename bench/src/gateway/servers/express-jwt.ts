import { createPublicKey } from 'node:crypto';
import express from 'express';
import jwt from 'jsonwebtoken';
import { ownSettings, serve } from '../serving.ts';

const { issuer, audience, publicKey } = ownSettings();
const key = createPublicKey(publicKey);

const app = express();
app.disable('x-powered-by');
app.disable('etag');
app.get('/auth', (request, response) => {
  const [scheme, token] = (request.headers.authorization ?? '').split(' ');
  try {
    if (scheme !== 'Bearer' || token === undefined) throw new Error('no bearer token');
    const claims = jwt.verify(token, key, { algorithms: ['ES256'], issuer, audience });
    response.set('x-user-id', claims.sub);
    response.set('x-authorities', claims.authorities.join(','));
    response.status(200).end();
  } catch {
    response.status(401).end();
  }
});
serve(app);
