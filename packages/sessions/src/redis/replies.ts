import type { SessionVersion } from '../record.ts';
import type { SourceSession, SourceTouch, SourceWrite } from '../source/contract.ts';

/** What the read script answers: the time, then four entries for each session that fitted. */
type ReadReply = readonly [string, ...(string | null)[]];

const NO_VERSION: SessionVersion = { epoch: 0, n: 0 };

/** The sessions of a reply of the read script, for the first of `keys`, in order; undefined: absent. */
export function readSessions(reply: unknown, keys: readonly string[], prefixLength: number): (SourceSession | undefined)[] {
  const [now, ...entries] = reply as ReadReply;
  const readAt = Number(now);
  const sessions: (SourceSession | undefined)[] = [];
  for (let i = 0; i < entries.length; i += 4) {
    const [value, expiry, companion, companionExpiry] = entries.slice(i, i + 4);
    const rawId = keys[i / 4]?.slice(prefixLength) ?? '';
    const { version, ended } = parseCompanion(companion);
    if (ended) sessions.push({ rawId, value: '', expireTime: expireTimeOf(companionExpiry), readAt, version, ended });
    else if (typeof value === 'string') sessions.push({ rawId, value, expireTime: expireTimeOf(expiry), readAt, version, ended });
    else sessions.push(undefined);
  }
  return sessions;
}

/** The outcome of the save and put scripts. */
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
  const [, epoch, n, rest] = /^(\d+):(\d+)([^]*)$/.exec(text ?? '') ?? [];
  if (epoch === undefined || n === undefined) return { version: NO_VERSION, ended: false };
  return { version: { epoch: Number(epoch), n: Number(n) }, ended: rest === ':ended' };
}
