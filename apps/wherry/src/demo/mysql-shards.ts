import { WherryError } from '@wherry/core';
import { MariadbMissing, startMariadb, type MariadbServer } from '@wherry/embedded';
import { openShardDatabase } from '@wherry/shards';

/** Starts a MariaDB with databases of these names. Errors: `config_invalid` where there is none and none can be installed. */
export async function startMysqlShards(names: readonly string[]): Promise<MariadbServer> {
  const server = await startMariadb().catch((cause: unknown) => {
    throw cause instanceof MariadbMissing ? new WherryError('config_invalid', `--shards: ${cause.message}`, { cause }) : cause;
  });
  const database = openShardDatabase({ url: server.url('mysql'), poolSize: 1 });
  try {
    for (const name of names) await database.query(`CREATE DATABASE \`${name}\``);
  } catch (error) {
    await server.stop();
    throw error;
  } finally {
    await database.end();
  }
  return server;
}
