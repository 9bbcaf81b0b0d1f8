import { SIGNING_ALGORITHMS } from '@wherry/tokens';
import type { FastifyInstance } from 'fastify';
import type { AuthContext } from '../context.ts';
import { CLIENT_AUTHENTICATION_METHODS } from './client-authentication.ts';
import { offeredGrantTypes } from './grant-types.ts';
import { metadataSchema } from './schemas.ts';

const MAX_AGE_S = 3600;

/** GET /.well-known/oauth-authorization-server (RFC 8414): what runs, and nothing that might one day. */
export function metadataRoute(app: FastifyInstance, context: AuthContext): void {
  const { oauth } = context;
  const { publicUrl } = oauth;
  if (publicUrl === undefined) return;
  const document = metadata(context, publicUrl);
  for (const url of metadataPaths(oauth.issuer))
    app.get(url, { schema: metadataSchema }, async (_request, reply) =>
      reply.header('cache-control', `public, max-age=${MAX_AGE_S}`).send(document),
    );
}

/** The usual place, and where the issuer has a path that of RFC 8414 section 3.1: before that path. */
function metadataPaths(issuer: string): readonly string[] {
  const usual = '/.well-known/oauth-authorization-server';
  const path = (URL.parse(issuer)?.pathname ?? '').replace(/\/$/, '');
  return /^(\/[\w.~-]+)+$/.test(path) ? [usual, usual + path] : [usual];
}

function metadata(context: AuthContext, base: string): object {
  const { issuer } = context.oauth;
  const confidential = CLIENT_AUTHENTICATION_METHODS;
  const anyone = [...confidential, 'none'];
  const algorithms = SIGNING_ALGORITHMS;
  return {
    issuer,
    token_endpoint: `${base}/oauth/token`,
    token_endpoint_auth_methods_supported: anyone,
    token_endpoint_auth_signing_alg_values_supported: algorithms,
    introspection_endpoint: `${base}/oauth/introspect`,
    introspection_endpoint_auth_methods_supported: confidential,
    introspection_endpoint_auth_signing_alg_values_supported: algorithms,
    introspection_signing_alg_values_supported: algorithms,
    revocation_endpoint: `${base}/oauth/revoke`,
    revocation_endpoint_auth_methods_supported: anyone,
    revocation_endpoint_auth_signing_alg_values_supported: algorithms,
    dpop_signing_alg_values_supported: algorithms,
    jwks_uri: `${base}/.well-known/jwks.json`,
    grant_types_supported: offeredGrantTypes(context),
    // There is no authorization endpoint; the list is required all the same (RFC 8414 section 2).
    response_types_supported: [],
  };
}
