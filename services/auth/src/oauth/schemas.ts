import { type ErrorCode } from '@wherry/core';
import { SECURITY } from '../http/openapi.ts';
import { EVERYWHERE, OF_BODIES, OF_STORES, byStatus, codesOf, type Responses } from '../http/refusals.ts';
import { oauthErrorOf, oauthStatusOf } from './oauth-errors.ts';

const text = { type: 'string' } as const;
const seconds = { type: 'integer', minimum: 0 } as const;
const texts = { type: 'array', items: text } as const;
const oneOrMore = { anyOf: [text, texts] } as const;

/** What every endpoint takes of a client beside its Authorization header. */
const clientParameters = { client_id: text, client_assertion: text, client_assertion_type: text } as const;

const CLIENT_ERRORS: readonly ErrorCode[] = ['client_unauthenticated', 'control_unavailable'];

/** Refusals in the form of RFC 6749 section 5.2. */
function oauthErrors(...groups: readonly (readonly ErrorCode[])[]): Responses {
  return byStatus([...EVERYWHERE, ...OF_BODIES, ...CLIENT_ERRORS, ...OF_STORES, ...groups.flat()], oauthStatusOf, (codes) => ({
    'application/json': {
      schema: {
        type: 'object',
        additionalProperties: false,
        required: ['error', 'error_description', 'code'],
        properties: {
          error: { type: 'string', enum: [...new Set(codes.map(oauthErrorOf))].toSorted() },
          error_description: text,
          code: { type: 'string', enum: codes },
        },
      },
    },
  }));
}

function form(required: readonly string[], properties: Readonly<Record<string, object>>): object {
  return {
    tags: ['oauth'],
    consumes: ['application/x-www-form-urlencoded'],
    body: { type: 'object', required, properties: { ...properties, ...clientParameters } },
  };
}

const tokenAnswer = {
  type: 'object',
  additionalProperties: false,
  required: ['access_token', 'token_type', 'expires_in'],
  properties: {
    access_token: text,
    token_type: { type: 'string', enum: ['Bearer', 'DPoP'] },
    expires_in: seconds,
    issued_token_type: text,
    scope: text,
    refresh_token: text,
    refresh_token_expires_in: seconds,
    session_token: text,
    renewal: { const: 'bearer' },
  },
} as const;

export const tokenSchema: object = {
  ...form(['grant_type'], {
    grant_type: text,
    subject_token: text,
    subject_token_type: text,
    requested_token_type: text,
    refresh_token: text,
    access_token: text,
    audience: oneOrMore,
    resource: oneOrMore,
    scope: text,
  }),
  summary: 'Token endpoint (RFC 6749, RFC 8693)',
  security: SECURITY.anyClient,
  response: {
    200: { description: 'An access token', content: { 'application/json': { schema: tokenAnswer } } },
    ...oauthErrors(
      [
        'grant_type_unsupported',
        'access_tokens_off',
        'credential_kind_refused',
        'client_grant_refused',
        'target_invalid',
        'scope_invalid',
        'grant_invalid',
      ],
      ['signing_key_unavailable'],
      codesOf('session_'),
      codesOf('token_'),
      codesOf('user_'),
      codesOf('dpop_'),
      codesOf('renewal_'),
    ),
  },
};

/** Inactive, or all that there is to say (RFC 7662 section 2.2). */
const introspectionAnswer = {
  oneOf: [
    { type: 'object', additionalProperties: false, required: ['active'], properties: { active: { const: false } } },
    {
      type: 'object',
      additionalProperties: false,
      required: ['active', 'token_type', 'iss', 'aud', 'sub', 'userId', 'authorities', 'client_id', 'iat', 'auth_time'],
      properties: {
        active: { const: true },
        token_type: { type: 'string', enum: ['Bearer', 'DPoP', 'refresh_token'] },
        iss: text,
        aud: oneOrMore,
        sub: text,
        userId: { type: ['integer', 'string'] },
        authorities: texts,
        username: text,
        client_id: text,
        scope: text,
        sid: text,
        jti: text,
        iat: seconds,
        exp: seconds,
        auth_time: seconds,
        act: { type: 'object', required: ['sub'] },
        cnf: { type: 'object', required: ['jkt'] },
      },
    },
  ],
} as const;

export const introspectSchema: object = {
  ...form(['token'], { token: text, token_type_hint: text }),
  summary: 'Introspection (RFC 7662, RFC 9701)',
  security: SECURITY.client,
  response: {
    200: {
      description: 'What is known of the token',
      content: { 'application/json': { schema: introspectionAnswer }, 'application/token-introspection+jwt': { schema: text } },
    },
    ...oauthErrors(['session_undecodable', 'signing_key_unavailable', 'token_key_unproved']),
  },
};

export const revokeSchema: object = {
  ...form(['token'], { token: text, token_type_hint: text }),
  summary: 'Revocation (RFC 7009)',
  security: SECURITY.anyClient,
  response: {
    200: { type: 'null', description: 'The token has ended, or is unknown', headers: { 'x-wherry-propagated': text } },
    ...oauthErrors(['client_grant_refused', 'session_undecodable', 'token_key_unproved']),
  },
};

const list = (type: object = text): object => ({ type: 'array', items: type });

export const metadataSchema: object = {
  summary: 'Authorization server metadata (RFC 8414)',
  tags: ['oauth'],
  response: {
    200: {
      description: 'What this server offers',
      content: {
        'application/json': {
          schema: {
            type: 'object',
            required: ['issuer', 'token_endpoint', 'jwks_uri', 'response_types_supported', 'grant_types_supported'],
            properties: {
              issuer: text,
              token_endpoint: text,
              introspection_endpoint: text,
              revocation_endpoint: text,
              jwks_uri: text,
              response_types_supported: list(),
              grant_types_supported: list(),
            },
            additionalProperties: list(),
          },
        },
      },
    },
  },
};
