import type { QueryResult, QueryResultRow } from 'pg';
import { sqlFor } from '../dialect.ts';
import { BinaryRow } from '../rows/binary-row.ts';
import type { RowReader } from '../rows/message-splitter.ts';
import type { ShardConnection, ShardDriver } from '../shard-driver.ts';
import type { RowArray, RowStatement, Statement } from '../shard.ts';
import { dataRow, isInteger } from './data-row.ts';
import { MysqlDatabase } from './mysql-database.ts';

/** MySQL and MariaDB: values stand in the text (`literal.ts`), and rows are brought into the form that readers know. */
export class MysqlDriver implements ShardDriver {
  readonly database: MysqlDatabase;

  constructor(connection: ShardConnection) {
    this.database = new MysqlDatabase(connection);
  }

  async queryArrays({ text, values }: Statement, timeoutMs: number): Promise<RowArray[]> {
    const { rows, columns } = await this.database.run(sqlFor(text, 'mysql'), values, timeoutMs);
    const integers = columns.map(isInteger);
    return rows.map((row) => row.map((value, at) => (value !== null && integers[at] === true ? Number(value.toString('latin1')) : value)));
  }

  async readRows({ text, values }: RowStatement, reader: RowReader, timeoutMs: number): Promise<void> {
    const { rows, columns } = await this.database.run(sqlFor(text, 'mysql'), values, timeoutMs);
    const integers = columns.map(isInteger);
    const view = new BinaryRow();
    for (const row of rows) {
      view.begin(dataRow(row, integers), 0);
      reader(view);
    }
  }

  async query<R extends QueryResultRow>({ text, values }: Statement, timeoutMs: number): Promise<QueryResult<R>> {
    return this.database.query<R>(sqlFor(text, 'mysql'), values, timeoutMs);
  }

  async end(): Promise<void> {
    await this.database.end();
  }
}
