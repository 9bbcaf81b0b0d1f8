import { PATIENT_MS } from '@wherry/embedded/testing';
import type { Dialect } from '../dialect.ts';
import { FENCE_CODES } from '../fence.ts';
import { FencedWrite, type FencedWriteOptions } from '../fenced-write.ts';
import type { FencedPacketOptions } from '../mysql/fenced-packet.ts';
import type { ShardSet } from '../shard-set.ts';
import { SlotFollower } from '../slot-follower.ts';
import type { SlotMap } from '../slot-map.ts';

/** A key of the table of items. */
export interface Row {
  readonly slot: number;
  readonly id: bigint;
}

/** A form of statement that the code writes with. */
export type Form = 'upsert' | 'insert' | 'update';
export const FORMS: readonly Form[] = ['upsert', 'insert', 'update'];

type Sql = Required<Pick<FencedWriteOptions<Row>, 'write' | 'refusal' | 'mysql'>>;

/** A row counts the writes that it took, and those that came under an epoch that was over. */
export function itemTable(dialect: Dialect): string {
  return `CREATE TABLE item (slot int, id bigint, epoch bigint NOT NULL, writes int NOT NULL DEFAULT 1, stale int NOT NULL DEFAULT 0,
    ${dialect === 'mysql' ? 'write_mark bigint NOT NULL DEFAULT 0, INDEX item_epoch (slot, epoch),' : ''} PRIMARY KEY (slot, id))`;
}

const TOOK = 'epoch = greatest(s.epoch, o.epoch), writes = s.writes + 1, stale = s.stale + (s.epoch > o.epoch)::int';
const older = (found: string): string => `CASE WHEN t.id IS ${found} THEN ${FENCE_CODES.older} END`;

/** The statements of each form. */
export const ITEM_SQL: Readonly<Record<Form, Sql>> = {
  upsert: {
    write: `INSERT INTO item AS s (slot, id, epoch) SELECT slot, id, epoch FROM o
      ON CONFLICT (slot, id) DO UPDATE SET ${TOOK.replaceAll('o.epoch', 'excluded.epoch')} RETURNING s.slot, s.id`,
    refusal: '0',
    mysql: {
      write: {
        kind: 'insert',
        table: 'item',
        values: { epoch: 'o.epoch' },
        replace: {
          when: 'TRUE',
          set: { stale: 's.stale + (s.epoch > VALUES(epoch))', epoch: 'GREATEST(s.epoch, VALUES(epoch))', writes: 's.writes + 1' },
        },
      },
      refusal: 'NULL',
    },
  },
  insert: {
    write: `INSERT INTO item AS s (slot, id, epoch) SELECT slot, id, epoch FROM o ON CONFLICT (slot, id) DO NOTHING RETURNING s.slot, s.id`,
    refusal: `(SELECT ${FENCE_CODES.older} FROM item t WHERE t.slot = k.slot AND t.id = k.id)`,
    mysql: { write: { kind: 'insert', table: 'item', values: { epoch: 'o.epoch' } }, refusal: older('NOT NULL') },
  },
  update: {
    write: `UPDATE item s SET ${TOOK} FROM o WHERE s.slot = o.slot AND s.id = o.id RETURNING s.slot, s.id`,
    refusal: `coalesce((SELECT 0 FROM item t WHERE t.slot = k.slot AND t.id = k.id), ${FENCE_CODES.older})`,
    mysql: {
      write: {
        kind: 'update',
        table: 'item',
        set: { stale: 's.stale + (s.epoch > o.epoch)', epoch: 'GREATEST(s.epoch, o.epoch)', writes: 's.writes + 1' },
        when: 'TRUE',
      },
      refusal: older('NULL'),
    },
  },
};

/** Forms of messages for MySQL beside those of {@link FORMS}: a removal, and an update of rows that another column names. */
export const MYSQL_FORMS: Readonly<Record<Form | 'delete' | 'update-by', Omit<FencedPacketOptions, 'columns'>>> = {
  upsert: ITEM_SQL.upsert.mysql,
  insert: ITEM_SQL.insert.mysql,
  update: ITEM_SQL.update.mysql,
  delete: { write: { kind: 'delete', table: 'item', when: 's.epoch <= o.epoch' }, refusal: older('NULL') },
  'update-by': {
    write: {
      kind: 'update',
      table: 'item',
      by: { column: 'epoch', index: 'item_epoch' },
      also: { total: '(SELECT SUM(t.writes) FROM item t WHERE t.slot = o.slot)' },
      set: { writes: 's.writes + o.total' },
      when: 'TRUE',
    },
    refusal: String(FENCE_CODES.older),
  },
};

/** A writer of items, by a map of its own. */
export function itemWriter(form: Form, shards: ShardSet, map: SlotMap): FencedWrite<Row> {
  const follower = new SlotFollower({ map, shards });
  return new FencedWrite<Row>({
    name: `item-${form}`,
    columns: [],
    value: () => null,
    ...ITEM_SQL[form],
    shards,
    map,
    deadlineMs: PATIENT_MS,
    follower,
  });
}
