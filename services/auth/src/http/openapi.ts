import swagger from '@fastify/swagger';
import type { FastifyInstance } from 'fastify';
import { EVERYWHERE, problems } from './refusals.ts';

/** Who may call an operation: any of these. */
export const SECURITY = {
  /** An access token, a session token, or the cookie of the application. */
  user: [{ bearer: [] }, { cookie: [] }],
  /** The operator's secret, or a client marked as operator. */
  operator: [{ operator: [] }, { client: [] }],
  client: [{ client: [] }],
  /** A client that authenticates, or one that has nothing to prove. */
  anyClient: [{ client: [] }, {}],
} as const;

/** Has the routes that are added from now on described, and the description (OpenAPI 3.1) served at /openapi.json. */
export async function describeRoutes(app: FastifyInstance, publicUrl: string | undefined): Promise<void> {
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: { title: 'Wherry auth', version: '1', description: 'Registration, log-in, tokens, log-out.' },
      ...(publicUrl === undefined ? {} : { servers: [{ url: publicUrl }] }),
      components: {
        securitySchemes: {
          bearer: { type: 'http', scheme: 'bearer', description: 'An access token (RFC 9068) or a session token.' },
          cookie: {
            type: 'apiKey',
            in: 'cookie',
            name: 'connect.sid',
            description: "The application's signed session cookie, under its configured name.",
          },
          operator: { type: 'http', scheme: 'bearer', description: "The operator's secret." },
          client: { type: 'http', scheme: 'basic', description: 'client_secret_basic; at /oauth also private_key_jwt in the body.' },
        },
      },
    },
  });
  // What is documented is checked by tests; nothing is cut off from an answer because a schema forgot it.
  app.setSerializerCompiler(() => (value) => JSON.stringify(value));
  const schema = {
    summary: 'This document',
    tags: ['status'],
    response: {
      200: { description: 'OpenAPI 3.1', content: { 'application/json': { schema: { type: 'object', required: ['openapi'] } } } },
      ...problems(EVERYWHERE),
    },
  };
  let document: Buffer | undefined;
  app.get('/openapi.json', { schema }, async (_request, reply) => {
    document ??= Buffer.from(JSON.stringify(app.swagger()));
    return reply.type('application/json').header('cache-control', 'public, max-age=3600').send(document);
  });
}
