import { Ajv2020, type ErrorObject } from 'ajv/dist/2020.js';
import { configFault, shown } from './fault.ts';
import { CONFIG_SCHEMA, type Settings } from './schema.ts';
import type { Schema } from './schema-type.ts';
import { SOURCE_URL_ALLOWED, parseSourceUrl } from './source-url.ts';
import { suggestion } from './suggestion.ts';

/** What the formats of the schema take, for people. */
const FORMATS = {
  'http-origin': 'http://host:port or https://host:port, without a path and credentials',
  'source-url': SOURCE_URL_ALLOWED,
} as const;

const ajv = new Ajv2020({ useDefaults: true, verbose: true, strict: true, allErrors: false, keywords: ['x-allowed', 'x-short'] });
ajv.addFormat('http-origin', isHttpOrigin);
ajv.addFormat('source-url', (text: string) => parseSourceUrl(text) !== undefined);
const isValid = ajv.compile<Settings>(CONFIG_SCHEMA);

/**
 * Checks `values` against the schema and fills in the defaults, in place. `originOf` says where a key's value came from.
 * Errors: `config_invalid` for the first key that is wrong.
 */
export function validated(values: unknown, originOf: (key: string) => string | undefined): Settings {
  if (isValid(values)) return values;
  const error = isValid.errors?.[0];
  if (error === undefined) throw new Error('the configuration is not valid, and nothing says why');
  const key = keyOf(error.instancePath);
  const schema = error.parentSchema as Schema;
  const origin = originOf(key);
  const from = origin === undefined ? {} : { origin };
  if (error.keyword === 'additionalProperties' && schema.type === 'object') {
    const unknownKey = String(error.params['additionalProperty']);
    const known = Object.keys(schema.properties);
    // Its value is not shown: a secret may stand under a wrong name.
    throw configFault({
      ...from,
      key: joined(key, unknownKey),
      is: `is not a key${suggestion(unknownKey, known)}`,
      allowed: `one of ${known.join(', ')}`,
    });
  }
  if (error.keyword === 'required' && schema.type === 'object') {
    const missing = String(error.params['missingProperty']);
    throw configFault({ ...from, key: joined(key, missing), is: 'is missing', allowed: allowedBy(schema.properties[missing] ?? schema) });
  }
  throw configFault({
    ...from,
    key: key === '' ? 'the configuration' : key,
    is: `is ${valueOf(error, schema)}`,
    allowed: allowedBy(schema),
  });
}

/** Of a value where a section should be only the kind is shown: it may be what belongs into a secret. */
function valueOf(error: ErrorObject, schema: Schema): string {
  if (schema.type !== 'object' || (typeof error.data === 'object' && error.data !== null)) return shown(error.data);
  return error.data === null ? 'null' : `a ${typeof error.data === 'string' ? 'text' : typeof error.data}`;
}

/** What a value of this schema may be, in words. */
function allowedBy(schema: Schema): string {
  if (schema['x-allowed'] !== undefined) return schema['x-allowed'];
  switch (schema.type) {
    case 'integer':
      return `an integer from ${schema.minimum} to ${schema.maximum}`;
    case 'boolean':
      return 'true or false';
    case 'string':
      if (schema.enum !== undefined) return `one of ${schema.enum.join(', ')}`;
      if (schema.format !== undefined) return FORMATS[schema.format];
      return `a text of ${schema.minLength ?? 0} to ${schema.maxLength ?? 1000} characters`;
    case 'array':
      return `a list of ${schema.minItems ?? 0} to ${schema.maxItems} ${schema.items.type === 'object' ? `objects with ${Object.keys(schema.items.properties).join(', ')}` : 'texts'}`;
    case 'object':
      return `an object with ${Object.keys(schema.properties).join(', ')}`;
  }
}

/** `/gateway/routes/0/prefix` as people write it: `gateway.routes[0].prefix`. */
function keyOf(pointer: string): string {
  const parts = pointer
    .split('/')
    .slice(1)
    .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'));
  return parts.reduce((key, part) => (/^\d+$/.test(part) ? `${key}[${part}]` : joined(key, part)), '');
}

function joined(key: string, name: string): string {
  return key === '' ? name : `${key}.${name}`;
}

function isHttpOrigin(text: string): boolean {
  const url = URL.parse(text);
  if (url === null || (url.protocol !== 'http:' && url.protocol !== 'https:')) return false;
  // What was written must be what is used: no path, query, credentials or white space that the parser would drop.
  return text === url.origin || text === `${url.origin}/` || (url.pathname === '/' && /^https?:\/\/[^/@?#\s\\]+\/?$/i.test(text));
}
