/** A setting that bounds how often something may come. */
export interface RateSchema {
  readonly type: 'string';
  readonly description: string;
  readonly pattern: string;
  readonly 'x-allowed': string;
}

/** The same with a bound that holds where nothing is set. */
export interface RateSchemaWithDefault extends RateSchema {
  readonly default: string;
}

/** The type is widened: it has to be written down with the schema that it stands in. */
export function rate(description: string): RateSchema;
export function rate(description: string, otherwise: string): RateSchemaWithDefault;
export function rate(description: string, otherwise?: string): RateSchema {
  return {
    type: 'string',
    description,
    pattern: '^[1-9][0-9]{0,8}/[1-9][0-9]{0,4}[smhd](,[1-9][0-9]{0,8}/[1-9][0-9]{0,4}[smhd]){0,3}$',
    'x-allowed': 'a rate as 20/1s, or up to four as 20/1s,600/1m',
    ...(otherwise === undefined ? {} : { default: otherwise }),
  };
}
