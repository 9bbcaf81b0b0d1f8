import { sendOldCookie } from './conversation.ts';
import { exchange } from './exchange.ts';
import { isLive } from './judge.ts';
import { now } from './ledger.ts';
import { eachOf } from './probe.ts';
import { renew, replayRenewal } from './renew.ts';
import type { World } from './world.ts';

const AT_ONCE = 16;

/**
 * Every client that still has only its cookie comes back once and fetches its tokens (RFC 8693 with `offline_access`), while the
 * users go on. Answers how many live sessions are left without a renewal credential.
 */
export async function fetchAll(world: World, concurrency: number, onProgress: (done: number, total: number) => void): Promise<number> {
  const behind = leftBehind(world);
  let done = 0;
  await eachOf(behind, concurrency, async (session) => {
    if (world.wallet.holds(session) && world.wallet.renewal(session) === undefined) await exchange(world, session);
    onProgress(++done, behind.length);
  });
  return leftBehind(world).length;
}

/**
 * Presents renewal credentials whose successor has been used, as a thief would. Then their owners renew: they are refused, for the
 * families are over, and come back by one exchange. Answers how many there were.
 */
export async function replayRenewals(world: World, count: number): Promise<number> {
  const held = liveSessions(world).flatMap((session) => {
    const renewal = world.wallet.renewal(session);
    return renewal?.superseded === undefined ? [] : [{ session, renewal }];
  });
  let sent = 0;
  await eachOf(held.slice(0, count), AT_ONCE, async ({ session, renewal }) => {
    if (!(await replayRenewal(world, session, renewal))) return;
    sent++;
    await renew(world, session);
  });
  return sent;
}

/** Sends cookies of live sessions, evenly chosen, to a server that takes none any more. Answers how many there were. */
export async function sendOldCookies(world: World, count: number): Promise<number> {
  const held = liveSessions(world).filter((session) => world.wallet.cookie(session) !== undefined);
  const step = Math.max(1, held.length / Math.max(1, count));
  const chosen = Array.from({ length: Math.min(count, held.length) }, (_, n) => held[Math.floor(n * step)]);
  await eachOf(chosen, AT_ONCE, async (session) => {
    const cookie = session === undefined ? undefined : world.wallet.cookie(session);
    if (session !== undefined && cookie !== undefined) await sendOldCookie(world, session, cookie);
  });
  return chosen.length;
}

function leftBehind(world: World): readonly string[] {
  return liveSessions(world).filter((session) => world.wallet.holds(session) && world.wallet.renewal(session) === undefined);
}

function liveSessions({ ledger }: World): readonly string[] {
  const at = now();
  return [...ledger.sessions()].filter((session) => isLive(session, at)).map(({ id }) => id);
}
