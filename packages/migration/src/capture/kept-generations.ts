import type { Database } from '@wherry/core/control';
import type { RevocationView } from '@wherry/revocation';
import type { SessionRecord } from '@wherry/sessions';
import type { SqlSessions } from '@wherry/sessions/sql';
import type { WriteOutcome } from '@wherry/shards';
import { judgesLogIns } from './capture-row.ts';

/**
 * The target as copy, comparison and repair write to it. What they read of a writer past us carries no generation. Where
 * the row has one that was given to the session by the capture (see `judgeLogIns`), a record of the same session and user
 * keeps it. A session that has no row of his yet, and is dead by its generation, may be a log-in of a moment ago: whether it
 * is the capture tells by that very absence, so it is left to the capture while one judges, and answered as `older`.
 */
export function keptGenerations(target: SqlSessions, control: Database, ended: RevocationView): SqlSessions {
  const isDead = ({ userId, userGeneration }: SessionRecord): boolean =>
    userId !== null && userGeneration < ended.minimumGeneration(userId);
  /** As it is to be written; undefined: it is left to the capture. */
  const kept = async (record: SessionRecord): Promise<SessionRecord | undefined> => {
    if (!isDead(record)) return record;
    const row = await target.get(record.key);
    if (row.state === 'ended') return record;
    if (row.state === 'live' && row.record.userId === record.userId)
      return { ...record, userGeneration: Math.max(record.userGeneration, row.record.userGeneration) };
    return (await judgesLogIns(control)) ? undefined : record;
  };
  const writes: Pick<SqlSessions, 'put' | 'putMany' | 'restore'> = {
    async put(record, ...rest): Promise<WriteOutcome> {
      const known = await kept(record);
      return known === undefined ? 'older' : target.put(known, ...rest);
    },
    async restore(record, epoch): Promise<WriteOutcome> {
      const known = await kept(record);
      return known === undefined ? 'older' : target.restore(known, epoch);
    },
    async putMany(records, epochs): Promise<WriteOutcome[]> {
      if (!records.some(isDead)) return target.putMany(records, epochs);
      const known = await Promise.all(records.map(kept));
      const written = known.flatMap((record, index) => (record === undefined ? [] : [{ record, epoch: epochs[index] ?? -1 }]));
      const outcomes = await target.putMany(
        written.map(({ record }) => record),
        written.map(({ epoch }) => epoch),
      );
      let next = 0;
      return known.map((record) => (record === undefined ? 'older' : (outcomes[next++] ?? 'not_owned')));
    },
  };
  // All else is the target's own.
  return new Proxy(target, {
    get(store, name) {
      if (name === 'put' || name === 'putMany' || name === 'restore') return writes[name];
      const member: unknown = Reflect.get(store, name, store);
      return typeof member === 'function' ? (member.bind(store) as unknown) : member;
    },
  });
}
