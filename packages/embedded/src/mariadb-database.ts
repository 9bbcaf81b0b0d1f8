import { createConnection } from 'mysql2';

/** True for the address of a MySQL or MariaDB. */
export function isMysqlUrl(url: string): boolean {
  return /^(mysql|mariadb):/.test(url);
}

/** Runs one statement on a connection of its own. */
export async function executeOnMysql(url: string, sql: string): Promise<void> {
  const connection = createConnection({ uri: url.replace(/^mariadb:/, 'mysql:') });
  try {
    await new Promise<void>((resolve, reject) => {
      connection.query(sql, (error) => (error === null ? resolve() : reject(error)));
    });
  } finally {
    connection.destroy();
  }
}
