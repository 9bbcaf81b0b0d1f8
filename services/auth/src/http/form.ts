import { WherryError } from '@wherry/core';

const NONE: ReadonlySet<string> = new Set();

/** Parameters of a form-encoded body; none is empty. */
export class FormParameters {
  readonly #values: ReadonlyMap<string, readonly string[]>;

  constructor(values: ReadonlyMap<string, readonly string[]>) {
    this.#values = values;
  }

  has(name: string): boolean {
    return this.#values.has(name);
  }

  /** The value of a parameter that comes at most once; of one that may be repeated, the first. */
  get(name: string): string | undefined {
    return this.#values.get(name)?.[0];
  }

  /** Errors: `bad_request` where there is none. */
  required(name: string): string {
    const value = this.get(name);
    if (value === undefined) throw new WherryError('bad_request', `${name} is missing`);
    return value;
  }

  /** All values of a parameter that may be repeated. */
  all(name: string): readonly string[] {
    return this.#values.get(name) ?? [];
  }
}

/**
 * Reads a form-encoded body by the rules of the token endpoint (RFC 6749 section 3.2): a parameter that comes twice is
 * refused unless it is `repeatable`, one without a value counts as absent. Errors: `bad_request`.
 */
export function readForm(body: string, repeatable: ReadonlySet<string> = NONE): FormParameters {
  const values = new Map<string, string[]>();
  const seen = new Set<string>();
  for (const [name, value] of new URLSearchParams(body)) {
    if (seen.has(name) && !repeatable.has(name)) throw new WherryError('bad_request', 'a parameter is there more than once');
    seen.add(name);
    if (value === '') continue;
    const list = values.get(name);
    if (list === undefined) values.set(name, [value]);
    else list.push(value);
  }
  return new FormParameters(values);
}
