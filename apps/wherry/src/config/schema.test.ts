import { Ajv2020 } from 'ajv/dist/2020.js';
import { describe, expect, expectTypeOf, it } from 'vitest';
import { CONFIG_SCHEMA, type SectionSchemas, type Settings } from './schema.ts';
import { SETTINGS } from './variables.ts';

type Flat<T> = { readonly [K in keyof T]: T[K] };
type Required<S> = S extends { readonly required: readonly (infer K)[] } ? K : never;
/** Keys of an object that are there once the defaults are filled in. */
type Present<S, P> = { [K in keyof P]: P[K] extends { readonly default: unknown } ? K : K extends Required<S> ? K : never }[keyof P];
type Properties<S, P> = Flat<
  { readonly [K in Present<S, P>]: FromSchema<P[K]> } & { readonly [K in Exclude<keyof P, Present<S, P>>]?: FromSchema<P[K]> }
>;
/** The type of the values that a schema describes. */
type FromSchema<S> = S extends { readonly enum: readonly (infer E)[] }
  ? E
  : S extends { readonly type: 'string' }
    ? string
    : S extends { readonly type: 'integer' }
      ? number
      : S extends { readonly type: 'boolean' }
        ? boolean
        : S extends { readonly type: 'array'; readonly items: infer I }
          ? readonly FromSchema<I>[]
          : S extends { readonly type: 'object'; readonly properties: infer P }
            ? Properties<S, P>
            : never;

describe('the schema', () => {
  it('says the same as the types', () => {
    // Checked by the compiler: a key, a type or an alternative more or less on either side is an error here.
    expectTypeOf<Flat<{ readonly [K in keyof SectionSchemas]: FromSchema<SectionSchemas[K]> }>>().toEqualTypeOf<Settings>();
    expectTypeOf<FromSchema<SectionSchemas['gateway']>>().not.toEqualTypeOf<Settings['auth']>();
  });

  it('is a JSON Schema of draft 2020-12 by its own meta-schema', () => {
    const ajv = new Ajv2020({ strict: false });
    expect(ajv.validateSchema(CONFIG_SCHEMA)).toBe(true);
    expect(JSON.parse(JSON.stringify(CONFIG_SCHEMA))).toEqual(CONFIG_SCHEMA);
  });

  it('gives every key a default or none on purpose, a description, and a variable of its own', () => {
    const variables = SETTINGS.map(({ variable }) => variable);
    expect(new Set(variables).size).toBe(variables.length);
    expect(SETTINGS.filter(({ schema }) => schema.default === undefined).map(({ key }) => key)).toEqual([
      'source.url',
      'source.format',
      'source.prefix',
      'source.cookieName',
      'source.encryption',
      'source.identity.userId',
      'source.identity.username',
      'source.identity.authorities',
      'source.mapping.createTime',
      'source.mapping.lastAccessTime',
      'source.mapping.expireTime',
      'source.mapping.idleTime',
      'gateway.adminPort',
      'gateway.forwardAuthUriHeader',
      'gateway.forwardAuthPrefix',
      'gateway.limits.perUser',
      'gateway.limits.perClient',
      'gateway.limits.perAddress',
      'gateway.origin',
      'gateway.authUrl',
      'auth.publicUrl',
      'passwords.breachedFile',
      'passwords.breachedUrl',
      'rollout.deprecatedAt',
      'rollout.sunsetAt',
      'rollout.guideUrl',
      'rollout.sessionLifeSeconds',
    ]);
    for (const { schema } of SETTINGS) expect(schema.description.length).toBeGreaterThan(5);
    expect(variables).toContain('WHERRY_GATEWAY_SESSION_CACHE_SIZE');
    expect(variables).toContain('WHERRY_SOURCE_IDENTITY_USER_ID');
  });
});
