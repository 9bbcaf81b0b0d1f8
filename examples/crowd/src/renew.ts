import type { Answer } from './client.ts';
import { digestOf } from './credential.ts';
import { exchange, keepTokens, type Exchanged } from './exchange.ts';
import { isObject } from './identity.ts';
import type { HeldRenewal } from './wallet.ts';
import { enterRequest, type World } from './world.ts';

/**
 * Gets a session a new access token: by its renewal credential (RFC 6749 section 6) where the client has one, else, and
 * where that is refused, by one exchange of the cookie. `ends`: on the way to ending the session.
 */
export async function renew(world: World, session: string, ends = false): Promise<Exchanged> {
  const held = world.wallet.renewal(session);
  if (held === undefined) return exchange(world, session, ends);
  const answer = await present(world, held.value);
  const said = isObject(answer.body) ? answer.body : {};
  const gone = answer.status === 401 || (answer.status === 400 && said['error'] === 'invalid_grant');
  const renewed = answer.status === 200 && keepTokens(world, session, said, answer, held.value);
  let recovered = false;
  if (gone) {
    world.renewals.refused++;
    world.wallet.keepRenewal(session, undefined);
    recovered = (await exchange(world, session, ends)) === 'done';
    if (recovered) world.renewals.recovered++;
  } else if (renewed) world.renewals.renewed++;
  enterRequest(world, {
    ...factsOf(world, session, held.value, answer),
    // 400 invalid_grant is what 401 is at a resource; an answer of 200 without a token is a fault.
    status: gone ? 401 : answer.status === 200 && !renewed ? 500 : answer.status,
    ends,
    ...(recovered ? { recovered } : {}),
  });
  return renewed || recovered ? 'done' : 'failed';
}

/** Presents a renewal credential whose successor has been used: whoever does that is a thief, or has been robbed. */
export async function replayRenewal(world: World, session: string, { superseded }: HeldRenewal): Promise<boolean> {
  if (superseded === undefined) return false;
  const answer = await ask(world, superseded);
  const refused = answer.status === 400 && isObject(answer.body) && answer.body['error'] === 'invalid_grant';
  enterRequest(world, {
    ...factsOf(world, session, superseded, answer),
    act: 'replay',
    status: refused ? 401 : answer.status,
    unfit: 'superseded',
  });
  return true;
}

/** Presents the renewal credential of a session that has ended; answers the status as a resource would give it. */
export async function askWithEnded(world: World, credential: string): Promise<Answer> {
  const answer = await ask(world, credential);
  const refused = answer.status === 400 && isObject(answer.body) && answer.body['error'] === 'invalid_grant';
  return refused ? { ...answer, status: 401 } : answer;
}

/** Some answers are dropped on their way: the client cannot know, and sends the same credential again. */
async function present(world: World, credential: string): Promise<Answer> {
  if (Math.random() < world.settings.dropped) {
    world.renewals.dropped++;
    await ask(world, credential);
  }
  return ask(world, credential);
}

function ask({ client }: World, credential: string): Promise<Answer> {
  const body = new URLSearchParams({ grant_type: 'refresh_token', refresh_token: credential });
  return client.send({ to: 'auth', method: 'POST', path: '/oauth/token', body });
}

function factsOf(world: World, session: string, credential: string, { startedAt, endedAt, status, attempts }: Answer) {
  const { expectedExpiry } = world.ledger.session(session);
  return {
    session,
    act: 'renew',
    kind: 'renewal',
    credential: digestOf(credential),
    startedAt,
    endedAt,
    status,
    attempts,
    expectedExpiry,
  } as const;
}
