import fastifyJwt from '@fastify/jwt';
import fastify from 'fastify';
import { announce, ownSettings } from '../serving.ts';

interface Claims {
  readonly sub: string;
  readonly authorities: readonly string[];
}

const { issuer, audience, publicKey } = ownSettings();
const app = fastify();
await app.register(fastifyJwt, {
  secret: { public: publicKey },
  // Its cache of verified tokens is off unless asked for; with it, it is at its best.
  verify: { algorithms: ['ES256'], allowedIss: issuer, allowedAud: audience, cache: 10_000 },
});
app.get('/auth', async (request, reply) => {
  const claims = await request.jwtVerify<Claims>();
  void reply.header('x-user-id', claims.sub).header('x-authorities', claims.authorities.join(','));
  return reply.code(200).send();
});
const url = await app.listen({ host: '127.0.0.1', port: 0 });
announce(Number(new URL(url).port));
