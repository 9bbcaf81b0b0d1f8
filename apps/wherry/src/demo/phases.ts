import { setTimeout as sleep } from 'node:timers/promises';
import { asWherryError, isWherryError, type WherryError } from '@wherry/core';
import type { Crowd, CrowdReport } from './crowd.ts';
import { statefulRequests } from './gateway-counts.ts';
import { Operator, type RolloutRecord } from './operator.ts';
import type { Stage } from './stage.ts';
import type { Teller } from './teller.ts';

/** What the walk through the phases is left with. */
export interface PhasesEnd extends RolloutRecord {
  readonly report: CrowdReport;
  /** Requests that were let in by a session credential after the step into `retired`: the larger of what gateway and ledger counted. */
  readonly statefulAfterRetire: number;
}

const LOOK_MS = 2000;
/** Longer than a token lives here, so that each of them runs out once. */
const TOKENS_RUN_OUT_MS = 11_000;
const BROKEN_PERCENT = 80;
const DROPPED_SHARE = 0.05;
const STALE_RENEWALS = 5;
const OLD_COOKIES = 200;
const FETCH_AT_ONCE = 64;

/**
 * Small samples, because the demo is short; a control of a third of the users. The crowd itself sends credentials that have
 * ended, to see them refused: the limits leave room for that.
 */
const GUARD_SETTINGS = { holdOut: 33, limits: { unauthorized: 0.08, unauthorizedSample: 60, renewal: 0.1 } } as const;

/** Takes the clients through all phases, with a guardrail tripped on the way. The crowd is at work all the time. */
export async function walkPhases(stage: Stage, crowd: Crowd, teller: Teller): Promise<PhasesEnd> {
  const operator = new Operator(stage.config);
  try {
    await leadClients(operator, crowd, teller);
    await drain(operator, stage, crowd, teller);
    return await retire(operator, stage, crowd, teller);
  } finally {
    await operator.close();
  }
}

async function leadClients(operator: Operator, crowd: Crowd, teller: Teller): Promise<void> {
  teller.chapter('phase dual: log-ins and exchanges give JWTs and renewal credentials, and clients use what they like');
  await operator.set(GUARD_SETTINGS, 'a control of a third, and small samples for a short demo');
  await operator.move({ command: 'advance' }, 'the services give out both');
  await crowd.tell({ do: 'drop', share: DROPPED_SHARE });
  await sleep(LOOK_MS);

  teller.chapter('phase led, 50 %: who is led is told by the header Deprecation, and fetches tokens');
  await operator.move({ command: 'advance', percent: 50 }, 'the first half');
  await crowd.tell({ do: 'mode', mode: 'renewing', toldOnly: true });
  await sleep(LOOK_MS);
  teller.say(`a broken release goes out: version 2.0-broken spoils the tokens of ${BROKEN_PERCENT} % of these users`);
  await crowd.tell({ do: 'mode', mode: 'renewing', toldOnly: true, broken: BROKEN_PERCENT });
  const { from, to, reason } = await operator.guardRollback();
  teller.say(`the guard stopped the rollout and took it a step back by itself, ${from.phase} -> ${to.phase}; the history says why:`);
  teller.say(`  ${reason ?? 'nothing'}`);
  await crowd.tell({ do: 'mode', mode: 'renewing', toldOnly: true });
  teller.say('the clients are mended; nobody was signed out, they had their cookies');

  await operator.resume('the clients are mended');
  await operator.move({ command: 'advance', percent: 50 }, 'once more, with mended clients');
  await sleep(LOOK_MS);
  teller.chapter('phase led, 100 %: tokens live 10 s and are renewed, at the token endpoint or by the gateway on the way');
  await operator.move({ command: 'set-percent', percent: 100 }, 'all but the control');
  await sleep(TOKENS_RUN_OUT_MS);
  teller.chapter('phase preferred: all are led but the control');
  await operator.move({ command: 'advance' }, 'led at 100 % without a breach');
  await sleep(LOOK_MS);
}

async function drain(operator: Operator, stage: Stage, crowd: Crowd, teller: Teller): Promise<void> {
  teller.chapter('phase drain: every client that still has only its cookie comes back once and fetches its tokens');
  await operator.move({ command: 'advance' }, 'no session tokens any more');
  await crowd.tell({ do: 'mode', mode: 'renewing' });
  await crowd.tell({ do: 'fetch-all', concurrency: FETCH_AT_ONCE });
  teller.display.finish();
  const { count = 0 } = await crowd.tell({ do: 'replay-renewals', count: STALE_RENEWALS });
  teller.say(`${count} renewal credentials whose successor is in use were presented again, as by a thief: all have to be refused`);
  await operator.settled();

  // Who signed in while the others fetched their tokens has a cookie yet.
  await crowd.tell({ do: 'rest' });
  const behind = await crowd.tell({ do: 'fetch-all', concurrency: FETCH_AT_ONCE });
  teller.display.finish();
  teller.say(`left behind with a cookie alone: ${behind.count ?? 0}`);
  teller.chapter('the legacy application is restarted without its session store: log-ins are handed over to the auth service');
  await stage.retireLegacySessions();
  await crowd.tell({ do: 'stateless' });
  await crowd.tell({ do: 'start' });
}

async function retire(operator: Operator, stage: Stage, crowd: Crowd, teller: Teller): Promise<PhasesEnd> {
  const lifeMs = (stage.config.rollout.sessionLifeSeconds ?? stage.config.sessions.absoluteSeconds) * 1000;
  const advance = () => operator.move({ command: 'advance' }, 'nothing uses sessions any more', lifeMs);
  const refusal = await advance().then(
    () => new Error('the step into retired was not refused for want of proof'),
    (error: unknown) => error,
  );
  if (!isWherryError(refusal, 'retire_unproved')) throw asWherryError(refusal);
  teller.say(`the step into retired is refused: ${refusal.message}`);
  teller.say(`one whole session life without a use is asked for; the demo takes ${lifeMs / 1000} s for it, in life it is days`);
  await proved(advance, refusal, 8 * lifeMs);
  await operator.acknowledged();

  teller.chapter('phase retired: JWTs alone, of which every instance knows; old cookies are tried');
  const before = await statefulRequests(stage.gatewayUrl);
  // The crowd has sent cookies all along: a counter that saw none of them would see none now.
  if (before === 0) throw new Error('the gateway does not count requests by session credentials');
  const { count = 0 } = await crowd.tell({ do: 'retired', cookies: OLD_COOKIES });
  teller.say(`${count} cookies of live sessions were sent: all have to be refused`);
  await sleep(LOOK_MS);
  teller.chapter('every session is asked for once more, by the tokens that its client holds');
  const report = (await crowd.tell({ do: 'probe-all' })) as unknown as CrowdReport;
  teller.display.finish();
  const counted = (await statefulRequests(stage.gatewayUrl)) - before;
  return { ...(await operator.record()), report, statefulAfterRetire: Math.max(counted, report.stateful) };
}

/** Goes into `retired` as soon as it may. */
async function proved(advance: () => Promise<unknown>, refused: WherryError, patienceMs: number): Promise<void> {
  const deadline = performance.now() + patienceMs;
  for (let last = refused; ;) {
    if (performance.now() > deadline) throw last;
    await sleep(500);
    try {
      await advance();
      return;
    } catch (error) {
      if (!isWherryError(error, 'retire_unproved')) throw error;
      last = error;
    }
  }
}
