import { WherryError } from '@wherry/core';
import {
  clientIdOf,
  mintSessionToken,
  ownAttributes,
  sessionIdText,
  siblingOf,
  type MintedSessionToken,
  type SessionRecord,
} from '@wherry/sessions';
import { slotOf } from '@wherry/shards';
import { createHmac } from 'node:crypto';
import { ANONYMOUS_CLIENT } from '../clients.ts';
import type { AuthContext } from '../context.ts';

/**
 * While the rollout goes back, a renewal gives a session token too, since its client may have dropped the one that it had.
 *
 * A session's row holds the digest of one secret, and that secret is kept nowhere; to replace it would sign out whoever
 * still uses it. So the session gets a *sibling*: a row of its own, of the same user, authorities, generation and absolute end, whose
 * id and secret follow from the session's id under a key of ours. Every renewal finds the same one, so a lost answer costs
 * nothing and no rows pile up; and whoever ends one of them finds the others by the same rule, so that they end together.
 * Each lives by its own use. One that has run out is followed by the next of a small number.
 */
const MOST = 4;

/**
 * The session token of the sibling, alive from now on; undefined where they are used up. Errors: `session_ended`,
 * `shard_unavailable`, `slot_not_owned`.
 */
export async function mintSibling(context: AuthContext, record: SessionRecord): Promise<string | undefined> {
  const { target } = context.runtime;
  const root = siblingOf(record) ?? record.key.id;
  for (let n = 0; n < MOST; n++) {
    const { token, key } = siblingToken(context, root, n);
    const now = context.now();
    const touch = {
      lastAccessTime: now,
      expireTime: Math.min(now + context.idleMs, record.createTime + context.absoluteMs),
      touchVersion: now,
    };
    const attributes = ownAttributes(clientIdOf(record) ?? ANONYMOUS_CLIENT, root);
    const stored = await target.create({ ...record, ...touch, key, attributes, version: { epoch: 0, n: 1 }, sourceRef: null });
    // Ended: it has run out and was swept, or ended with its session, which is looked at below. Else the id is another session's.
    if (stored === 'ended' && (await isEnded(context, root))) throw ended();
    if (stored !== 'applied' || (await target.touchNow(key, touch)) === 'ended') continue;
    // After it is stored: who ends the session looks for siblings after he has ended it, so one of the two sees the other.
    if (!(await isEnded(context, root))) return token;
    await target.end(key, context.now());
    throw ended();
  }
  return undefined;
}

/** The ids of all rows that stand for the session of this row, its own first among them; what was never made is among them. */
export function familyOfRows(context: Pick<AuthContext, 'siblingKey'>, root: bigint): readonly bigint[] {
  return [root, ...Array.from({ length: MOST }, (_, n) => siblingToken(context, root, n).key.id)];
}

function siblingToken({ siblingKey }: Pick<AuthContext, 'siblingKey'>, root: bigint, n: number): MintedSessionToken {
  const bytes = createHmac('sha256', siblingKey)
    .update(`${sessionIdText(root)} ${n}`)
    .digest();
  return mintSessionToken((bytes.readBigUInt64BE(0) >> 1n) | 1n, bytes.subarray(8));
}

async function isEnded({ runtime }: AuthContext, id: bigint): Promise<boolean> {
  const row = await runtime.target.getById(slotOf(id), id);
  return row.state === 'ended' || runtime.ended.isSessionEnded(sessionIdText(id));
}

function ended(): WherryError {
  return new WherryError('session_ended', 'the session was ended');
}
