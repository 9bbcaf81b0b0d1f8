import { MAX_PASSWORD_LENGTH } from '../passwords.ts';

/** JSON Schemas of the request bodies. Patterns are Unicode-aware: no control characters, no halves of characters. */
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

export const registerSchema: object = body(['username', 'password'], { username: name, password, authorities });
export const loginSchema: object = body(['username', 'password'], { username: name, password, clientId: name });
export const handOverSchema: object = body(['userId', 'authorities', 'sourceSessionId'], {
  userId,
  username: name,
  authorities,
  sourceSessionId: { type: 'string', minLength: 1, maxLength: 512 },
});

const params = { type: 'object', required: ['id'], properties: { id: name } } as const;
export const revokeSchema: object = { params, ...body(['reason'], { reason: name }) };
export const authoritiesSchema: object = { params, ...body(['authorities', 'reason'], { authorities, reason: name }) };
