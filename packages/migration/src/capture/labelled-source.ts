import type { Database } from '@wherry/core/control';
import { carriedSessionKey, type SourcePage, type SourceSession, type SourceStore } from '@wherry/sessions';
import type { MigrationContext } from '../context.ts';
import { readLabel } from './capture-row.ts';

/** How long a label is used: an old one is a lower bound all the same, and loses to newer readings. */
const ASK_EVERY_MS = 500;

/**
 * The source as copy, comparison and repair see it: where writers past us are captured, what they read is ordered with what
 * the capture reads by a label in place of a version (see `applyChanges`). The label is what is durably at the target of
 * the feed before the reading. While the target is primary the session's own version stands. Without a capture it is the
 * source itself.
 */
export function labelledSource(source: SourceStore, control: Database, slots: MigrationContext['slots']): SourceStore {
  let label: number | undefined;
  let askedAt = Number.NEGATIVE_INFINITY;
  const newest = async (): Promise<number | undefined> => {
    const now = performance.now();
    if (now - askedAt < ASK_EVERY_MS) return label;
    label = await readLabel(control);
    askedAt = now;
    return label;
  };
  const labelled = <T extends SourceSession | undefined>(session: T, n: number | undefined): T => {
    if (session === undefined || n === undefined || session.ended) return session;
    const { epoch, side } = slots.entry(carriedSessionKey(session.rawId).slot);
    return side === 'source' ? { ...session, version: { epoch, n } } : session;
  };
  const reads: Pick<SourceStore, 'scan' | 'get'> = {
    async scan(...args): Promise<SourcePage> {
      const n = await newest();
      const page = await source.scan(...args);
      return n === undefined ? page : { ...page, sessions: page.sessions.map((session) => labelled(session, n)) };
    },
    async get(rawIds): Promise<readonly (SourceSession | undefined)[]> {
      const n = await newest();
      const sessions = await source.get(rawIds);
      return n === undefined ? sessions : sessions.map((session) => labelled(session, n));
    },
  };
  // All else is the source's own, whatever it can do beside what every source can.
  return new Proxy(source, {
    get(store, name) {
      if (name === 'scan' || name === 'get') return reads[name];
      const member: unknown = Reflect.get(store, name);
      return typeof member === 'function' ? (member.bind(store) as unknown) : member;
    },
  });
}
