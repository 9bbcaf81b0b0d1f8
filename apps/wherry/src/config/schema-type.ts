/** Words of the schema that are ours: what is allowed, for people, and what a bare text in a list stands for. */
interface Annotations {
  readonly description: string;
  /** Ends the sentence "allowed is …" where the other words of the schema do not say it well. */
  readonly 'x-allowed'?: string;
}

/** A text. */
export interface StringSchema extends Annotations {
  readonly type: 'string';
  readonly default?: string;
  readonly enum?: readonly string[];
  readonly pattern?: string;
  readonly format?: 'http-origin' | 'source-url';
  readonly minLength?: number;
  readonly maxLength?: number;
}

/** A number. */
export interface NumberSchema extends Annotations {
  readonly type: 'integer';
  readonly default?: number;
  readonly minimum: number;
  readonly maximum: number;
}

/** Yes or no. */
export interface BooleanSchema extends Annotations {
  readonly type: 'boolean';
  readonly default?: boolean;
}

/** A list. */
export interface ArraySchema extends Annotations {
  readonly type: 'array';
  readonly items: StringSchema | ObjectSchema;
  readonly default?: readonly unknown[];
  readonly minItems?: number;
  readonly maxItems: number;
  /** In the environment `a,b` stands for objects with this key alone. */
  readonly 'x-short'?: string;
}

/** A section, or a member of a list. */
interface ObjectSchema extends Annotations {
  readonly type: 'object';
  readonly additionalProperties: false;
  readonly properties: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly default?: Readonly<Record<string, never>>;
}

/** The part of JSON Schema (draft 2020-12) that the configuration is written in. */
export type Schema = StringSchema | NumberSchema | BooleanSchema | ArraySchema | ObjectSchema;
