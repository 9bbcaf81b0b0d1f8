/** What a shard speaks. MariaDB is `mysql` here: every statement is one that both take. */
export type Dialect = 'postgres' | 'mysql';

/** Something that is written once for each dialect. */
export type ByDialect<T> = Readonly<Record<Dialect, T>>;

/** SQL of the program's own with `$1`, `$2`, … for values, which may stand in any order and more than once. */
export type SqlText = string | ByDialect<string>;

/** The dialect of an address. */
export function dialectOf(url: string): Dialect {
  return /^(mysql|mariadb):/.test(url) ? 'mysql' : 'postgres';
}

/** The text for one dialect. */
export function sqlFor(text: SqlText, dialect: Dialect): string {
  return typeof text === 'string' ? text : text[dialect];
}

/** What is written for one dialect, or for both. */
export function columnsFor(columns: readonly string[] | ByDialect<readonly string[]>, dialect: Dialect): readonly string[] {
  return 'postgres' in columns ? columns[dialect] : columns;
}
