import type { FenceColumn } from '../fence.ts';
import { documentTable } from './batch-document.ts';

/**
 * The write of a fenced batch on MySQL and MariaDB, as data: SQL of the program's own, never input. Expressions know the
 * batch as `o` and the row that is there as `s`; bytes of the batch are base64 there (`documentValue`).
 */
export type MysqlWrite = MysqlInsert | MysqlUpdate | MysqlDelete;

/** Inserts, and changes the row that is there under the same key where `when` holds. */
export interface MysqlInsert {
  readonly kind: 'insert';
  /** With the primary key (slot, id) and the column `write_mark bigint NOT NULL`. */
  readonly table: string;
  /** Expressions over `o` by column, without slot and id. */
  readonly values: Readonly<Record<string, string>>;
  /** Over `o`: the rows of the batch that are inserted; default all. */
  readonly where?: string;
  /** Missing: a row that is there stays. */
  readonly replace?: {
    /** Over `s` as it was and `VALUES(column)`. */
    readonly when: string;
    /** The same, by column, in the order in which they are assigned: one that was assigned has its new value in what follows. */
    readonly set: Readonly<Record<string, string>>;
  };
}

/** Changes rows that are there where `when` holds. */
export interface MysqlUpdate {
  readonly kind: 'update';
  /** As that of {@link MysqlInsert}. */
  readonly table: string;
  /**
   * Another column than `id` that the batch's ids are of, and the index of slot and it, which is named to the optimizer:
   * it would read, and lock, all rows of a table that it takes for small. One of the batch may stand for several rows
   * then, and is written when one of them is.
   */
  readonly by?: { readonly column: string; readonly index: string };
  /** Further columns of `o`: expressions over it that look at other rows, by name. */
  readonly also?: Readonly<Record<string, string>>;
  /** Over `o` and `s`; none may depend on another. */
  readonly set: Readonly<Record<string, string>>;
  readonly when: string;
}

/** Removes rows where `when` holds. */
export interface MysqlDelete {
  readonly kind: 'delete';
  /** As that of {@link MysqlInsert}. */
  readonly table: string;
  /** Over `o` and `s`. */
  readonly when: string;
}

/** The parts of a fenced batch. */
export interface FencedPacketOptions {
  /** Columns beside slot, epoch and id. */
  readonly columns: readonly FenceColumn[];
  readonly write: MysqlWrite;
  /**
   * What became of a row that was owned and not written, over `k` (the batch) and `t` (what is there, or NULLs; not there
   * for an update {@link MysqlUpdate.by} another column): a code of FENCE_CODES.
   */
  readonly refusal: string;
  /** Further expressions over the same to answer. */
  readonly answer?: readonly string[];
}

/** The columns that every batch begins with. */
export const KEY_COLUMNS: readonly FenceColumn[] = [
  { name: 'slot', type: 'int' },
  { name: 'epoch', type: 'bigint' },
  { name: 'id', type: 'bigint' },
];

/**
 * A transaction in one message that writes a batch only where this shard owns the slots under the epochs given, and says
 * what became of each row: its ordinal, whether it was owned, whether it was written, and if not, why. Parameters: the
 * document of the batch ($1) and a number that no other message has (the mark, $2).
 *
 * *Fence.* The write reads the owners of its rows by a locking read (in a derived table, where it is an UPDATE). Such a
 * read sees the last committed row whatever the snapshot, waits for whoever is changing it, and keeps a share lock to the
 * commit. So a writer either has the lock before the closer changes the owner, who then waits for its commit; or it reads
 * the changed row, which does not match, and writes nothing. A plain read beside the write would fence nothing: READ
 * COMMITTED reads what was committed before and takes no lock. The owner's row is named by its primary key, and rows come
 * in the order of the batch, which is sorted: two writers and a closer lock in one order.
 *
 * *Outcome.* Neither database answers what an upsert did to each row: MariaDB has RETURNING for INSERT alone, MySQL not
 * at all, and the count of rows is one for all. So whoever writes a row leaves his mark in it: a row of the batch was
 * written exactly if it bears the mark of this message now. It cannot lose it between the write and the question: the
 * write has locked it to the commit. It cannot have it from elsewhere: marks are random numbers of 62 bits, and rows that
 * this message did not write it did not change. The mark is assigned first, by the condition; all other assignments ask
 * whether it stands, so none of them meets a row that an assignment before it has half changed. A message that is sent
 * again because its answer was lost may find its own mark, on a row that is as it left it: to set that again is no change,
 * and the answer is that it was written. A row that is to be deleted is marked first, asked about, and then deleted.
 *
 * *Refusal.* What lies under the key of a row that was not written is locked by the INSERT that met it and cannot change
 * before it is looked at. An UPDATE lets go of rows that it did not match, and a slot may open between write and question:
 * then the refusal is what holds a moment later, or NULL, and the row is sent again.
 *
 * Statements after one that fails are not run; the connection rolls back before it is used again.
 */
export function fencedPacket(options: FencedPacketOptions): string {
  const { columns, write, refusal, answer = [] } = options;
  const all = [...KEY_COLUMNS, ...columns];
  const batch = (alias: string): string => documentTable('@wherry_batch', all, alias);
  const { written, join } = question(write);
  const answers = [written, refusal, ...answer];
  const asked = new Set(Array.from(answers.join(' ').matchAll(/\bk\.(\w+)/g), ([, name]) => name));
  const keys = documentTable('@wherry_batch', all, 'k', (name) => KEY_NAMES.has(name) || asked.has(name));
  return `START TRANSACTION;
    SET @wherry_batch = $1, @wherry_mark = $2;
    ${statement(write, batch)};
    SELECT STRAIGHT_JOIN k.n, w.slot IS NOT NULL, ${answers.join(', ')} FROM ${keys}
      LEFT JOIN slot_owner w ON ${owned('k')} ${join};${write.kind === 'delete' ? removal(write, keys) : ''}
    COMMIT`;
}

const KEY_NAMES: ReadonlySet<string> = new Set(KEY_COLUMNS.map(({ name }) => name));

const owned = (alias: string): string => `w.slot = ${alias}.slot AND w.epoch = ${alias}.epoch AND w.state = 'open'`;

/** Whether a row bears the mark, and the join that this asks. */
function question(write: MysqlWrite): { readonly written: string; readonly join: string } {
  const { table } = write;
  if (write.kind !== 'update' || write.by === undefined)
    return { written: 't.write_mark <=> @wherry_mark', join: `LEFT JOIN ${table} t ON t.slot = k.slot AND t.id = k.id` };
  const marked = `SELECT 1 FROM ${table} t FORCE INDEX (${write.by.index}) WHERE t.slot = k.slot AND t.${write.by.column} = k.id AND t.write_mark = @wherry_mark`;
  return { written: `EXISTS (${marked})`, join: '' };
}

function statement(write: MysqlWrite, batch: (alias: string) => string): string {
  switch (write.kind) {
    case 'insert':
      return insert(write, batch);
    case 'update':
      return update(write, batch);
    case 'delete':
      return update({ ...write, kind: 'update', set: {} }, batch);
  }
}

/** The rows that bear the mark are locked, and their slots' owners too: this needs no fence of its own. */
function removal({ table }: MysqlDelete, keys: string): string {
  return `
    DELETE s FROM ${keys} STRAIGHT_JOIN ${table} s ON s.slot = k.slot AND s.id = k.id WHERE s.write_mark = @wherry_mark;`;
}

function insert({ table, values, where = 'TRUE', replace }: MysqlInsert, batch: (alias: string) => string): string {
  const names = Object.keys(values);
  const mine = `${table}.write_mark = VALUES(write_mark)`;
  // Another unique key may be what was met: its row is somebody else's.
  const when = replace === undefined ? 'FALSE' : `${table}.id = VALUES(id) AND ${onRow(replace.when, table)}`;
  const assignments = Object.entries(replace?.set ?? {}).map(
    ([name, value]) => `${name} = IF(${mine}, ${onRow(value, table)}, ${table}.${name})`,
  );
  return `INSERT INTO ${table} (slot, id, ${names.map((name) => `${name}, `).join('')}write_mark)
    SELECT STRAIGHT_JOIN o.slot, o.id, ${names.map((name) => `${values[name]}, `).join('')}@wherry_mark
    FROM ${batch('o')} JOIN slot_owner w ON ${owned('o')} WHERE ${where} LOCK IN SHARE MODE
    ON DUPLICATE KEY UPDATE ${[`write_mark = IF(${when}, VALUES(write_mark), ${table}.write_mark)`, ...assignments].join(', ')}`;
}

function update(
  { table, by = { column: 'id', index: 'PRIMARY' }, also = {}, set, when }: MysqlUpdate,
  batch: (alias: string) => string,
): string {
  const columns = ['o.*', ...Object.entries(also).map(([name, expression]) => `${expression} AS ${name}`)];
  const assignments = Object.entries({ ...set, write_mark: '@wherry_mark' }).map(([name, value]) => `s.${name} = ${value}`);
  return `UPDATE (SELECT STRAIGHT_JOIN ${columns.join(', ')} FROM ${batch('o')} JOIN slot_owner w ON ${owned('o')} LOCK IN SHARE MODE) o
    STRAIGHT_JOIN ${table} s FORCE INDEX (${by.index}) ON s.slot = o.slot AND s.${by.column} = o.id
    SET ${assignments.join(', ')} WHERE ${when}`;
}

/** ON DUPLICATE KEY UPDATE knows the row by the name of its table only. */
function onRow(expression: string, table: string): string {
  return expression.replaceAll(/\bs\./g, `${table}.`);
}
