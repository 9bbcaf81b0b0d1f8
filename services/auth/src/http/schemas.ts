import { MAX_PASSWORD_LENGTH } from '../passwords.ts';
import { SECURITY } from './openapi.ts';
import { OF_BODIES, OF_CALLERS, OF_OPERATORS, OF_STORES, codesOf, problems } from './refusals.ts';

/** JSON Schemas of what requests bring and answers hold. Patterns are Unicode-aware: no control characters, no halves of characters. */
const TEXT = '^[^\\p{Cc}\\p{Cs}]*$';
const name = { type: 'string', minLength: 1, maxLength: 256, pattern: TEXT } as const;
const password = { type: 'string', minLength: 1, maxLength: MAX_PASSWORD_LENGTH } as const;
const authorities = { type: 'array', maxItems: 1000, items: name } as const;
/** Text, or a number that has not lost digits on its way through JSON. */
const userId = {
  anyOf: [name, { type: 'integer', minimum: Number.MIN_SAFE_INTEGER, maximum: Number.MAX_SAFE_INTEGER }],
} as const;

const body = (required: readonly string[], properties: Readonly<Record<string, unknown>>): { readonly body: object } => ({
  body: { type: 'object', additionalProperties: false, required, properties },
});

const answer = (description: string, required: readonly string[], properties: Readonly<Record<string, unknown>>): object => ({
  description,
  content: { 'application/json': { schema: { type: 'object', additionalProperties: false, required, properties } } },
});

const text = { type: 'string' } as const;
const texts = { type: 'array', items: text } as const;
const anyUserId = { type: ['integer', 'string'] } as const;
const propagated = { 'x-wherry-propagated': { type: 'string', enum: ['true', 'false'] } } as const;
/** Of answers of which a part is an access token: absent while none are given out. */
const accessToken = { accessToken: text, tokenType: text, expiresIn: { type: 'integer' } } as const;
/** Where it was asked for, and where no session token is given out any more. */
const renewal = { renewalCredential: text, renewalExpiresIn: { type: 'integer' }, renewal: { const: 'bearer' } } as const;
const renewable = { type: 'boolean' } as const;

export const registerSchema: object = {
  ...body(['username', 'password'], { username: name, password, authorities }),
  summary: 'Register a user; authorities only by an operator',
  tags: ['users'],
  security: [{}, ...SECURITY.operator],
  response: {
    201: answer('The user', ['userId', 'username', 'authorities'], { userId: anyUserId, username: text, authorities: texts }),
    ...problems(OF_BODIES, OF_OPERATORS, OF_STORES, codesOf('id_'), codesOf('password'), codesOf('too_many_'), ['username_taken']),
  },
};

export const loginSchema: object = {
  ...body(['username', 'password'], { username: name, password, clientId: name, renewable }),
  summary: 'Log in: a session token, an access token and a renewal credential of one session',
  tags: ['users'],
  response: {
    200: answer('Signed in', ['sessionExpiresAt', 'userId', 'authorities'], {
      sessionToken: text,
      ...accessToken,
      ...renewal,
      sessionExpiresAt: { type: 'integer' },
      userId: anyUserId,
      authorities: texts,
    }),
    ...problems(OF_BODIES, OF_STORES, codesOf('id_'), codesOf('password'), codesOf('too_many_'), codesOf('user_'), [
      'login_failed',
      'client_unauthenticated',
      'grant_invalid',
      'session_collision',
      'signing_key_unavailable',
    ]),
  },
};

export const handOverSchema: object = {
  ...body(['userId', 'authorities'], {
    userId,
    username: name,
    authorities,
    sourceSessionId: { type: 'string', minLength: 1, maxLength: 512 },
    renewable,
  }),
  summary: 'Hand over a log-in of an application',
  tags: ['users'],
  security: SECURITY.client,
  response: {
    200: answer('The access token of that session, or of a new one', ['sessionId', 'userId', 'authorities'], {
      ...accessToken,
      ...renewal,
      sessionToken: text,
      sessionExpiresAt: { type: 'integer' },
      sessionId: text,
      userId: anyUserId,
      authorities: texts,
    }),
    ...problems(OF_BODIES, OF_STORES, codesOf('id_'), codesOf('user_'), [
      'client_unauthenticated',
      'credential_kind_refused',
      'forbidden',
      'grant_invalid',
      'login_unconfirmed',
      'session_collision',
      'session_undecodable',
      'signing_key_unavailable',
    ]),
  },
};

/** No body is read, and one that comes is refused where its type is none that is read anywhere. */
const logout = (summary: string): object => ({
  summary,
  tags: ['users'],
  security: SECURITY.user,
  response: {
    204: { type: 'null', description: 'Ended', headers: propagated },
    ...problems(OF_BODIES, OF_CALLERS, OF_STORES, ['forbidden']),
  },
});
export const logoutSchema: object = logout("End the caller's session");
export const logoutEverywhereSchema: object = logout('End all that the user has');

export const whoamiSchema: object = {
  summary: 'Who is calling',
  tags: ['users'],
  security: SECURITY.user,
  response: {
    200: answer('The principal', ['userId', 'authorities', 'kind'], {
      userId: anyUserId,
      authorities: texts,
      kind: { type: 'string', enum: ['jwt', 'session'] },
      service: { const: true },
      sessionId: text,
      clientId: text,
      username: text,
    }),
    ...problems(OF_CALLERS, OF_STORES),
  },
};

export const changePasswordSchema: object = {
  ...body(['oldPassword', 'newPassword'], { oldPassword: password, newPassword: password, staySignedIn: { type: 'boolean' }, renewable }),
  summary: 'Change the password, which ends all that the user has',
  tags: ['users'],
  security: SECURITY.user,
  response: {
    200: answer('Changed; with a new session where that was asked for', ['userId', 'propagated'], {
      userId: anyUserId,
      propagated: { type: 'boolean' },
      sessionToken: text,
      ...accessToken,
      ...renewal,
      sessionExpiresAt: { type: 'integer' },
    }),
    ...problems(OF_BODIES, OF_CALLERS, OF_STORES, codesOf('id_'), codesOf('password'), codesOf('too_many_'), codesOf('user_'), [
      'conflict',
      'forbidden',
      'grant_invalid',
      'signing_key_unavailable',
    ]),
  },
};

const params = { type: 'object', required: ['id'], properties: { id: name } } as const;
const ended = { userId: anyUserId, generation: { type: 'integer' }, propagated: { type: 'boolean' } } as const;

export const revokeSchema: object = {
  params,
  ...body(['reason'], { reason: name }),
  summary: 'End all that a user has',
  tags: ['operators'],
  security: SECURITY.operator,
  response: { 200: answer('Ended', Object.keys(ended), ended), ...problems(OF_BODIES, OF_OPERATORS, OF_STORES) },
};

export const disableSchema: object = { ...revokeSchema, summary: 'End all that a user has, and keep him out' };

export const enableSchema: object = {
  ...revokeSchema,
  summary: 'Let a user in again',
  response: {
    200: answer('Let in', ['userId', 'changed', 'propagated'], {
      userId: anyUserId,
      changed: { type: 'boolean' },
      propagated: { type: 'boolean' },
    }),
    ...problems(OF_BODIES, OF_OPERATORS, OF_STORES),
  },
};

export const issuerRevokeSchema: object = {
  ...body(['reason'], { reason: name, notBefore: { type: 'integer', minimum: 0, maximum: 9_999_999_999 } }),
  summary: 'End every access token that was issued up to a moment (NumericDate), by default now',
  tags: ['operators'],
  security: SECURITY.operator,
  response: {
    200: answer('Ended', ['notBefore', 'propagated'], { notBefore: { type: 'integer' }, propagated: { type: 'boolean' } }),
    ...problems(OF_BODIES, OF_OPERATORS, OF_STORES),
  },
};

export const authoritiesSchema: object = {
  params,
  ...body(['authorities', 'reason'], { authorities, reason: name }),
  summary: 'Give a registered user other authorities',
  tags: ['operators'],
  security: SECURITY.operator,
  response: {
    200: answer('Changed, and what he held has ended', [...Object.keys(ended), 'authorities'], { ...ended, authorities: texts }),
    ...problems(OF_BODIES, OF_OPERATORS, OF_STORES, ['not_found']),
  },
};

const plain = (type: string): object => ({ [type]: { schema: text } });
const status = { type: 'object', required: ['status'], properties: { status: text, reason: text } } as const;

export const jwksSchema: object = {
  summary: 'The public keys (RFC 7517)',
  tags: ['status'],
  response: {
    200: {
      description: 'A JWK set',
      headers: { etag: text },
      content: { 'application/jwk-set+json': { schema: { type: 'object', required: ['keys'], properties: { keys: { type: 'array' } } } } },
    },
    304: { type: 'null', description: 'Unchanged since the ETag of If-None-Match' },
    ...problems(),
  },
};
/** Answered also while the service ends. */
export const livezSchema: object = {
  summary: 'Is the process alive',
  tags: ['status'],
  response: { 200: { description: 'It is', content: { 'application/json': { schema: status } } }, ...problems() },
};
export const readyzSchema: object = {
  summary: 'Should requests be sent here',
  tags: ['status'],
  response: {
    ...problems(),
    200: { description: 'Yes', content: { 'application/json': { schema: status } } },
    503: { description: 'No', content: { 'application/json': { schema: status }, 'application/problem+json': { schema: status } } },
  },
};
export const metricsSchema: object = {
  summary: 'Numbers for Prometheus',
  tags: ['status'],
  response: { 200: { description: 'Text exposition', content: plain('text/plain') }, ...problems() },
};
