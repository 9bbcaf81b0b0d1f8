import { convertSession, type SessionKey, type SourceSession } from '@wherry/sessions';
import type { MigrationContext } from '../context.ts';
import type { SideView } from './compare.ts';

/** What the source says of a session, or that it cannot be carried. */
export function sourceView(context: MigrationContext, session: SourceSession | undefined): SideView | 'dead_letter' {
  if (session === undefined) return { state: 'absent' };
  if (session.ended) return { state: 'ended' };
  const converted = convertSession(session, context);
  return converted.ok ? { state: 'live', record: converted.record } : 'dead_letter';
}

/** The side that counts for the session's slot. */
export function primaryOf(context: MigrationContext, { slot }: Pick<SessionKey, 'slot'>, source: SideView, target: SideView): SideView {
  return context.slots.entry(slot).side === 'source' ? source : target;
}
