import { SESSION_FORMATS } from '@wherry/sessions';

/** Where in a session's attributes its user stands, as dotted paths. */
interface IdentityMapping {
  readonly userId: string;
  readonly username: string;
  /** Roles and permissions; the union of all of them. */
  readonly authorities: readonly string[];
}

/** The store that sessions are carried from. */
export interface SourceSection {
  /** `redis://…`, `rediss://…` or `dynamodb://…`; with a password in it only from the environment. */
  readonly url?: string;
  /** What the application puts before the session id in the store's key. */
  readonly format?: string;
  readonly prefix?: string;
  readonly cookieName?: string;
  readonly identity: IdentityMapping;
}

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
      enum: SESSION_FORMATS.map(({ name }) => name) as readonly string[],
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
    identity: {
      type: 'object',
      description: "Where in a session's attributes its user stands, as dotted paths.",
      additionalProperties: false,
      default: {},
      properties: {
        userId: {
          type: 'string',
          description: 'Path of the user id.',
          pattern: '^[^.]+(\\.[^.]+)*$',
          'x-allowed': 'a dotted path, e.g. user.id',
          default: 'user.id',
        },
        username: {
          type: 'string',
          description: 'Path of the user name.',
          pattern: '^[^.]+(\\.[^.]+)*$',
          'x-allowed': 'a dotted path, e.g. user.name',
          default: 'user.name',
        },
        authorities: {
          type: 'array',
          description: 'Paths of roles and permissions; what stands at all of them is one set.',
          maxItems: 16,
          default: ['user.roles', 'user.permissions'],
          items: { type: 'string', description: 'A path.', pattern: '^[^.]+(\\.[^.]+)*$', 'x-allowed': 'a dotted path, e.g. user.roles' },
        },
      },
    },
  },
} as const;
