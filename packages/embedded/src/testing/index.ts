import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { executeOnMysql, isMysqlUrl } from '../mariadb-database.ts';

export { openWay, type Severable } from './severable.ts';

/** What the global set-up of the tests provides: the addresses of the servers that the project's name lists. */
declare module 'vitest' {
  export interface ProvidedContext {
    postgresUrl: string;
    redisUrl: string;
    dynamoEndpoint: string;
    /** Of any database on a MySQL or MariaDB, as a user who may create others. */
    mysqlUrl: string;
    /** Without a database. */
    mongoUrl: string;
    /** Path of the program. */
    nginxCommand: string;
  }
}

/** Bound in ms of a statement or a call where the bound is not what is tested: longer than a busy machine stands still. */
export const PATIENT_MS: number = 60_000;

/** A database of its own for one test file. */
export interface TestDatabase {
  readonly url: string;
  readonly name: string;
  /** Drops it, ending the connections that are left. */
  drop(): Promise<void>;
}

/** Creates an empty database on the server at `serverUrl`: PostgreSQL, where a template may be named, or MySQL and MariaDB. */
export async function createTestDatabase(serverUrl: string, template?: string): Promise<TestDatabase> {
  const name = `wherry_test_${randomBytes(6).toString('hex')}`;
  const address = new URL(serverUrl);
  address.pathname = `/${name}`;
  if (isMysqlUrl(serverUrl)) {
    await executeOnMysql(serverUrl, `CREATE DATABASE ${name}`);
    return { url: address.href, name, drop: () => executeOnMysql(serverUrl, `DROP DATABASE IF EXISTS ${name}`) };
  }
  await execute(
    serverUrl,
    `CREATE DATABASE ${name}${template === undefined ? '' : ` TEMPLATE ${pg.escapeIdentifier(template)}`} STRATEGY wal_log`,
  );
  return { url: address.href, name, drop: () => execute(serverUrl, `DROP DATABASE IF EXISTS ${name} WITH (FORCE)`) };
}

async function execute(url: string, sql: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(sql);
  } finally {
    await client.end();
  }
}
