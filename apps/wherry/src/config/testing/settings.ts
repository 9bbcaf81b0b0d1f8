import fc from 'fast-check';
import type { Schema } from '../schema-type.ts';

const PATTERNS: Readonly<Record<string, readonly string[]>> = {
  '^[a-z][a-z0-9-]{0,31}$': ['a', 'eu-west-1', 's2'],
  "^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}$": ['sid', '__Host-s', "a'b"],
  '^(?:[^.\\\\\\[\\]]|\\\\.)+(?:\\.(?:[^.\\\\\\[\\]]|\\\\.)+)*$': ['id', 'passport.user.id', 'a b', String.raw`app\.user.id`],
  '^(?:[^.\\\\\\[\\]]|\\\\.)+(?:\\[\\])*(?:\\.(?:[^.\\\\\\[\\]]|\\\\.)+(?:\\[\\])*)*$': ['id', 'roles[].name', String.raw`a\.b\[\].c[][]`],
  '^[A-Za-z0-9.:_-]{1,253}$': ['localhost', '::1', '10.0.0.1'],
  '^/[^?#\\s\\\\]*$': ['/', '/api', '/a/b/'],
  '^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$': ['web', 'Mobile.App', 'x_1'],
  '^(loopback|private|[0-9A-Fa-f.:]{2,45}(/[0-9]{1,3})?)$': ['loopback', '10.1.0.0/16', '2001:db8::1'],
  '^https?://[^\\s?#@]{1,500}$': ['https://api.pwnedpasswords.com/range', 'http://127.0.0.1:8090'],
  '^[A-Za-z0-9-]{1,64}$': ['x-forwarded-uri', 'X-Original-URI'],
  '^[1-9][0-9]{0,8}/[1-9][0-9]{0,4}[smhd](,[1-9][0-9]{0,8}/[1-9][0-9]{0,4}[smhd]){0,3}$': ['20/1s', '20/1s,600/1m', '1/7d'],
  '^https?://[a-z0-9.-]+(:[0-9]{1,5})?$': ['https://pay.example', 'http://localhost:3000'],
  '^[0-9]{4}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-5][0-9]Z$': ['2027-01-31T00:00:00Z', '2030-12-01T23:59:59Z'],
  '^https?://[!-;=?-~]{1,500}$': ['https://example.com/guide', 'http://localhost/a?b=c'],
  '^[A-Za-z0-9!#$%&*+.^_|~-]{1,64}$': ['ShopApp', 'curl', 'a+b'],
  '^(/[A-Za-z0-9._~-]+)+$': ['/auth', '/check/me'],
  '^[!-9;-~]{1,64}$': ['shop-ios', 'web'],
};
const FORMATS = {
  'http-origin': ['http://127.0.0.1:80', 'https://upstream.example', 'http://[::1]:3000/'],
  'source-url': [
    'redis://localhost',
    'rediss://r:6379/3',
    'dynamodb://127.0.0.1:8000/sessions',
    'dynamodb:///sessions?region=eu-west-1',
    'mongodb://a,b/shop',
  ],
};

/** Values that a schema allows. */
export function allowedValue(schema: Schema): fc.Arbitrary<unknown> {
  switch (schema.type) {
    case 'integer':
      return fc.integer({ min: schema.minimum, max: schema.maximum });
    case 'boolean':
      return fc.boolean();
    case 'string':
      if (schema.enum !== undefined) return fc.constantFrom(...schema.enum);
      if (schema.format !== undefined) return fc.constantFrom(...FORMATS[schema.format]);
      if (schema.pattern === undefined) return fc.string({ minLength: schema.minLength ?? 0, maxLength: 20 });
      return fc.constantFrom(...(PATTERNS[schema.pattern] ?? []));
    case 'array':
      return fc.uniqueArray(allowedValue(schema.items), { maxLength: 3, selector: (value) => JSON.stringify(named(value)).toUpperCase() });
    case 'object':
      return fc.record(Object.fromEntries(Object.entries(schema.properties).map(([name, part]) => [name, allowedValue(part)])), {
        noNullPrototype: true,
      });
    default:
      throw new Error('a kind of schema that this does not know');
  }
}

/** What tells the members of a list apart. */
function named(value: unknown): unknown {
  return typeof value === 'object' && value !== null ? Object.values(value)[0] : value;
}
