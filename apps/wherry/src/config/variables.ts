import { CONFIG_SCHEMA } from './schema.ts';
import type { ArraySchema, BooleanSchema, NumberSchema, Schema, StringSchema } from './schema-type.ts';

/** A key that holds a value, not a section. */
export interface Setting {
  readonly path: readonly string[];
  /** E.g. `gateway.sessionCacheSize`. */
  readonly key: string;
  /** E.g. `WHERRY_GATEWAY_SESSION_CACHE_SIZE`. */
  readonly variable: string;
  readonly schema: StringSchema | NumberSchema | BooleanSchema | ArraySchema;
}

/** The name of a variable for a path or a name: words in upper case with `_` between. */
export function variableOf(...path: readonly string[]): string {
  const words = path.map((part) =>
    part
      .replaceAll(/([a-z0-9])([A-Z])/g, '$1_$2')
      .replaceAll(/[^A-Za-z0-9]+/g, '_')
      .toUpperCase(),
  );
  return ['WHERRY', ...words].join('_');
}

/** Every setting of the schema. */
export const SETTINGS: readonly Setting[] = Object.entries(CONFIG_SCHEMA.properties).flatMap(([name, schema]) =>
  settingsOf([name], schema),
);

function settingsOf(path: readonly string[], schema: Schema): readonly Setting[] {
  if (schema.type === 'object') return Object.entries(schema.properties).flatMap(([name, part]) => settingsOf([...path, name], part));
  return [{ path, key: path.join('.'), variable: variableOf(...path), schema }];
}

/**
 * The value that a variable's text stands for. Text that does not have the form of the setting's type stays text, and
 * the schema then refuses it by its type.
 */
export function valueOf(text: string, schema: Setting['schema']): unknown {
  switch (schema.type) {
    case 'string':
      return text;
    case 'integer':
      return /^-?\d{1,15}$/.test(text) ? Number(text) : text;
    case 'boolean':
      return text === 'true' ? true : text === 'false' ? false : text;
    case 'array':
      return listOf(text, schema);
  }
}

/** `a,b`, or JSON where it begins with a bracket; `a,b` stands for objects where the schema has a short form. */
function listOf(text: string, schema: ArraySchema): unknown {
  if (text.trim() === '') return [];
  if (text.trimStart().startsWith('[')) {
    try {
      return JSON.parse(text) as unknown;
    } catch {
      return text;
    }
  }
  if (schema.items.type === 'string') return commaList(text);
  const short = schema['x-short'];
  return short === undefined ? text : commaList(text).map((member) => ({ [short]: member }));
}

/** The members of `a, b`. */
export function commaList(text: string): string[] {
  return text.split(',').map((member) => member.trim());
}
