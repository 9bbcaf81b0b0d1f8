import { MAPPED, SESSION_FORMATS, type IdentityMapping, type SessionMapping } from '@wherry/sessions';

/** The store that sessions are carried from. */
export interface SourceSection {
  /** `redis://…`, `rediss://…`, `mongodb://…` or `dynamodb://…`; with a password in it only from the environment. */
  readonly url?: string;
  /** What the application puts before the session id in the store's key. */
  readonly format?: string;
  readonly prefix?: string;
  readonly cookieName?: string;
  readonly encryption?: string;
  /** What is not set is as the format has it. */
  readonly identity: Partial<IdentityMapping>;
  /** Of the format `mapped`. */
  readonly mapping: SessionMapping;
}

/** A path into a session: names joined by dots, a backslash before a dot that belongs to a name, `[]` over a list. */
const PATH = '^(?:[^.\\\\\\[\\]]|\\\\.)+(?:\\[\\])*(?:\\.(?:[^.\\\\\\[\\]]|\\\\.)+(?:\\[\\])*)*$';
/** One without a list: it leads to one value. */
const ONE = '^(?:[^.\\\\\\[\\]]|\\\\.)+(?:\\.(?:[^.\\\\\\[\\]]|\\\\.)+)*$';

export const sourceSchema = {
  type: 'object',
  description: 'The store that sessions are carried from. The secrets of its cookie: WHERRY_SOURCE_COOKIE_SECRETS, newest first.',
  additionalProperties: false,
  default: {},
  properties: {
    url: { type: 'string', description: 'Where the store is. With a password in it only from the environment.', format: 'source-url' },
    format: {
      type: 'string',
      description: 'How the application keeps its sessions; absent: the usual one of the store.',
      enum: [...SESSION_FORMATS.map(({ name }) => name), MAPPED] as readonly string[],
    },
    prefix: {
      type: 'string',
      description: "What the application puts before the session id in the store's key; absent: as its software does.",
      maxLength: 200,
    },
    cookieName: {
      type: 'string',
      description: 'Name of the cookie that holds the session id; absent: as its software does.',
      // A token of RFC 9110 section 5.6.2, which RFC 6265 section 4.1.1 asks of a cookie's name.
      pattern: "^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}$",
      'x-allowed': 'the name of a cookie, up to 100 characters without spaces, commas, semicolons and =',
    },
    encryption: {
      type: 'string',
      description:
        'How the application encrypts what it stores, of connect-mongo: its option crypto, or its Web Crypto adapter; absent: not at all. The secret: WHERRY_SOURCE_ENCRYPTION_SECRET.',
      enum: ['kruptein', 'webcrypto'] as readonly string[],
    },
    identity: {
      type: 'object',
      description: "Where in a session's attributes its user stands, as dotted paths; what is absent is as the format has it.",
      additionalProperties: false,
      default: {},
      properties: {
        userId: { type: 'string', description: 'Path of the user id.', pattern: ONE as string, 'x-allowed': 'a dotted path, e.g. user.id' },
        username: {
          type: 'string',
          description: 'Path of the user name.',
          pattern: ONE as string,
          'x-allowed': 'a dotted path, e.g. user.name',
        },
        authorities: {
          type: 'array',
          description: 'Paths of roles and permissions; what stands at all of them is one set.',
          maxItems: 16,
          items: {
            type: 'string',
            description: 'A path.',
            pattern: PATH as string,
            'x-allowed': 'a dotted path, e.g. user.roles or user.roles[].name',
          },
        },
      },
    },
    mapping: {
      type: 'object',
      description: 'How sessions are kept that no format here knows; read where source.format is "mapped".',
      additionalProperties: false,
      default: {},
      properties: {
        value: {
          type: 'string',
          description: 'How a session is written.',
          enum: ['json', 'msgpack', 'php', 'php_serialize', 'php_binary', 'pickle', 'urlencoded'],
          default: 'json',
        },
        createTime: { type: 'string', description: 'Path of the moment it began.', pattern: ONE as string, 'x-allowed': 'a dotted path' },
        lastAccessTime: {
          type: 'string',
          description: 'Path of its last use; with mapping.idleTime it says when the session ends.',
          pattern: ONE as string,
          'x-allowed': 'a dotted path',
        },
        expireTime: {
          type: 'string',
          description: "Path of the moment it ends; absent: the store's own expiry decides.",
          pattern: ONE as string,
          'x-allowed': 'a dotted path',
        },
        timeUnit: {
          type: 'string',
          description: 'How these moments are written: seconds or milliseconds since 1970, or ISO 8601 with its zone.',
          enum: ['s', 'ms', 'iso'],
          default: 'ms',
        },
        idleTime: {
          type: 'string',
          description: 'Path of how long it lives untouched.',
          pattern: ONE as string,
          'x-allowed': 'a dotted path',
        },
        idleUnit: {
          type: 'string',
          description: 'How that length of time is written.',
          enum: ['s', 'ms'],
          default: 's',
        },
        cookie: {
          type: 'string',
          description: 'How the cookie holds the id: alone, in base64, signed as by express-session, or beside a signature of Keygrip.',
          enum: ['plain', 'base64', 'express-signed', 'keygrip'],
          default: 'plain',
        },
      },
    },
  },
} as const;
