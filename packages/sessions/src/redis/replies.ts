import type { SessionVersion } from '../record.ts';
import type { SourceSave, SourceSession, SourceTouch, SourceWrite } from '../source/contract.ts';

/** What the read script answers: the time, then value, version and expiry of each session that fitted. */
type ReadReply = readonly (string | null)[];

const NO_VERSION: SessionVersion = { epoch: 0, n: 0 };

/** The sessions of a reply of the read script, for the first of `keys`, in order; undefined: absent. */
export function readSessions(reply: unknown, keys: readonly string[], prefixLength: number): (SourceSession | undefined)[] {
  const entries = reply as ReadReply;
  const readAt = Number(entries[0]);
  const sessions: (SourceSession | undefined)[] = [];
  for (let i = 1; i < entries.length; i += 3) {
    const value = entries[i];
    const { version, ended } = parseCompanion(entries[i + 1]);
    if (typeof value !== 'string' && !ended) {
      sessions.push(undefined);
      continue;
    }
    const rawId = keys[sessions.length]?.slice(prefixLength) ?? '';
    sessions.push({ rawId, value: ended ? '' : (value ?? ''), expireTime: expireTimeOf(entries[i + 2]), readAt, version, ended });
  }
  return sessions;
}

/** The outcome of the save script. */
export function saveOf(reply: unknown): SourceSave {
  const [outcome, mark, value] = reply as readonly string[];
  return outcome === 'differs' ? { outcome, mark: mark ?? '', value: value ?? '' } : writeOf(reply);
}

/** The outcome of the put script. */
export function writeOf(reply: unknown): SourceWrite {
  const [outcome, epoch, n, expiry] = reply as readonly string[];
  if (outcome === 'ended') return { outcome };
  const version = { epoch: Number(epoch), n: Number(n) };
  return outcome === 'applied' ? { outcome, version, expireTime: expireTimeOf(expiry) } : { outcome: 'older', version };
}

/** The outcome of the touch script. */
export function touchOf(reply: unknown): SourceTouch {
  const [outcome, expiry] = reply as readonly ['applied' | 'ended' | 'missing' | 'older', string];
  return outcome === 'applied' ? { outcome, expireTime: expireTimeOf(expiry) } : { outcome };
}

function expireTimeOf(text: string | null | undefined): number | null {
  return text === '' || text === null || text === undefined ? null : Number(text);
}

/** Mirrors the scripts: what they would not take for a companion is none. */
function parseCompanion(text: string | null | undefined): { version: SessionVersion; ended: boolean } {
  if (text === null || text === undefined) return { version: NO_VERSION, ended: false };
  const [, epoch, n, rest] = /^(\d+):(\d+)([^]*)$/.exec(text) ?? [];
  if (epoch === undefined || n === undefined) return { version: NO_VERSION, ended: false };
  return { version: { epoch: Number(epoch), n: Number(n) }, ended: rest === ':ended' };
}
