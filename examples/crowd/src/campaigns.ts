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
 * Renews for some sessions, evenly chosen, until there is a credential whose successor has been used, and presents that, as a thief
 * would. Then their owners renew: they are refused, for the families are over, and come back by one exchange. Answers how many there were.
 */
export async function replayRenewals(world: World, count: number): Promise<number> {
  const held = liveSessions(world).filter((session) => world.wallet.renewal(session) !== undefined);
  let sent = 0;
  await eachOf(evenly(held, count), AT_ONCE, async (session) => {
    // A credential is superseded when that which came for it has been used in its turn.
    for (let n = 0; n < 2 && world.wallet.renewal(session)?.superseded === undefined; n++) await renew(world, session);
    const renewal = world.wallet.renewal(session);
    if (renewal === undefined || !(await replayRenewal(world, session, renewal))) return;
    sent++;
    await renew(world, session);
  });
  return sent;
}

/** Sends cookies of live sessions, evenly chosen, to a server that takes none any more. Answers how many there were. */
export async function sendOldCookies(world: World, count: number): Promise<number> {
  const held = liveSessions(world).filter((session) => world.wallet.cookie(session) !== undefined);
  const chosen = evenly(held, count);
  await eachOf(chosen, AT_ONCE, async (session) => {
    const cookie = world.wallet.cookie(session);
    if (cookie !== undefined) await sendOldCookie(world, session, cookie);
  });
  return chosen.length;
}

/** At most `count` of the items, from all over the list. */
function evenly<T>(items: readonly T[], count: number): readonly T[] {
  const step = Math.max(1, items.length / Math.max(1, count));
  return items.filter((_, n) => Math.floor(n / step) !== Math.floor((n - 1) / step)).slice(0, count);
}

function leftBehind(world: World): readonly string[] {
  return liveSessions(world).filter((session) => world.wallet.holds(session) && world.wallet.renewal(session) === undefined);
}

function liveSessions({ ledger }: World): readonly string[] {
  const at = now();
  return [...ledger.sessions()].filter((session) => isLive(session, at)).map(({ id }) => id);
}
