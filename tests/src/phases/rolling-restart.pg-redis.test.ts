import { pause } from '@wherry/core';
import { PATIENT_MS } from '@wherry/embedded/testing';
import { TokenFamilies } from '@wherry/renewal';
import { afterAll, beforeAll, expect, inject, test, vi } from 'vitest';
import { Violation } from '../model/violation.ts';
import { Operator } from './operator.ts';
import { PhaseBench, TOKEN_S, type PhaseNode } from './phase-bench.ts';
import type { OperatorAct } from './plan.ts';
import { Visitor, ask, type Reply } from './visitor.ts';

const CROWD = 10;
/** Turns in which somebody whose session lives may be told to come again, or to use another credential. */
const MOST_TURNS = 40;
/** Way up, back and up again: every phase that has a way back is entered from both sides. */
const ACTS: readonly OperatorAct[] = [
  { act: 'advance' },
  { act: 'advance' },
  { act: 'set-percent', percent: 100 },
  { act: 'advance' },
  { act: 'advance' },
  { act: 'settle' },
  { act: 'rollback' },
  { act: 'rollback' },
  { act: 'advance' },
  { act: 'advance' },
  { act: 'settle' },
];

let bench: PhaseBench;
beforeAll(async () => {
  bench = await PhaseBench.create(inject('postgresUrl'), inject('redisUrl'));
});
afterAll(() => bench[Symbol.asyncDispose]());

/** Addresses at which two instances of a kind are found: what a load balancer knows. */
interface Fleet {
  readonly auths: PhaseNode[];
  readonly gateways: PhaseNode[];
}

/** Who is asked may be going down at this moment; then another one is. undefined: none answered. */
async function somebody(nodes: readonly PhaseNode[], call: (node: PhaseNode) => Promise<Reply>): Promise<Reply | undefined> {
  for (const node of nodes.toSorted(() => Math.random() - 0.5)) {
    const reply = await call(node).catch((error: unknown) => {
      if (error instanceof TypeError) return undefined;
      throw error;
    });
    if (reply !== undefined && reply.status !== 503) return reply;
  }
  return undefined;
}

/** One of the crowd: signs in, comes again and again, and signs out; whatever happens around him. */
class Member {
  readonly #fleet: Fleet;
  readonly #visitor: Visitor;
  requests = 0;
  lives = 0;

  constructor(fleet: Fleet, visitor: Visitor) {
    this.#fleet = fleet;
    this.#visitor = visitor;
  }

  async live(until: AbortSignal): Promise<void> {
    while (!until.aborted) {
      await this.#eventually('sign in', async () => this.#has(200, await somebody(this.#fleet.auths, (auth) => this.#visitor.logIn(auth))));
      this.lives++;
      for (let visit = 0; visit < 12 && !until.aborted; visit++) {
        if (visit % 4 === 3) this.#visitor.age();
        if (visit % 6 === 5 && this.#visitor.kept.renewal !== undefined) this.#visitor.forget('session', 'subject');
        await this.#eventually('get in', () => this.#getsIn());
        this.requests++;
      }
      await this.#leave();
    }
  }

  async #getsIn(): Promise<boolean> {
    const { jwt, session } = this.#visitor.kept;
    const { gateways, auths } = this.#fleet;
    const passes = async (headers: Readonly<Record<string, string>>): Promise<boolean> =>
      this.#has(200, await somebody(gateways, (gateway) => ask(gateway, headers)));
    if (jwt !== undefined && (await passes({ authorization: `Bearer ${jwt}` }))) return true;
    if (this.#visitor.kept.renewal !== undefined && this.#has(200, await somebody(auths, (auth) => this.#visitor.renew(auth))))
      return false;
    if (session !== undefined && (await passes(session))) return true;
    if (this.#visitor.kept.subject === undefined) return false;
    await somebody(auths, (auth) => this.#visitor.exchange(auth));
    return false;
  }

  /** Nobody answers, or answers no: the session may have ended all the same. What is acknowledged has. */
  async #leave(): Promise<void> {
    if (!this.#visitor.jwtIsFresh && this.#visitor.kept.session === undefined) return;
    const reply = await somebody(this.#fleet.auths, (auth) => this.#visitor.logOut(auth, false));
    if (reply?.status !== 204 || reply.headers.get('x-wherry-propagated') !== 'true') return;
    for (const { jwt, session } of this.#visitor.history) {
      for (const headers of [session, jwt === undefined ? undefined : { authorization: `Bearer ${jwt}` }]) {
        if (headers === undefined) continue;
        for (const gateway of this.#fleet.gateways) {
          const found = await somebody([gateway], (node) => ask(node, headers));
          if (found?.status === 200) throw new Violation(`${gateway.name} lets an ended session in`);
        }
      }
    }
  }

  async #eventually(what: string, attempt: () => Promise<boolean>): Promise<void> {
    for (let turn = 0; turn < MOST_TURNS; turn++) {
      if (await attempt()) return;
      // Somebody is going down or coming up.
      await pause(turn * 5);
    }
    throw new Violation(`a ${this.#visitor.kind} visitor with ${Object.keys(this.#visitor.kept).join(' ')} could not ${what}`);
  }

  #has(status: number, reply: Reply | undefined): boolean {
    return reply?.status === status;
  }
}

test('gateways and auth are restarted one after the other while phases change, and the crowd does not notice', async () => {
  const fleet: Fleet = { auths: [await bench.auth('auth 0'), await bench.auth('auth 1')], gateways: [] };
  for (const name of ['gateway 0', 'gateway 1']) fleet.gateways.push(await bench.gateway(name, fleet.auths[0]));
  const { shards, map } = bench.cluster;
  const families = new TokenFamilies({ shards, map, windowMs: 2 * TOKEN_S * 1000, deadlineMs: PATIENT_MS });
  const operator = new Operator(bench, families);
  await operator.begin(0, 0);
  const crowd = Array.from({ length: CROWD }, (_, n) => new Member(fleet, new Visitor(bench, n % 2 === 0 ? 'native' : 'cookie')));
  const closing = new AbortController();
  const lives = crowd.map((member) => member.live(closing.signal));
  // A violation ends the walk as well.
  const broken = Promise.race(lives.map((life) => life.then(() => new Promise<never>(() => undefined))));
  try {
    await Promise.race([broken, walk()]);
  } finally {
    closing.abort();
    await Promise.allSettled(lives);
  }
  await Promise.all(lives);
  for (const member of crowd) expect(member.requests).toBeGreaterThanOrEqual(3 * ACTS.length);

  async function walk(): Promise<void> {
    for (const [n, act] of ACTS.entries()) {
      const turned = restart(n);
      // An instance that is coming up is waited for like any other.
      for (;;) {
        const refused = await operator.act(act, new Set(bench.nodes));
        if (refused === undefined) break;
        expect(refused).toBe('rollout_unacknowledged');
        await pause(20);
      }
      await turned;
      await bench.settled();
      // Everybody has met the new phase.
      const visits = crowd.map(({ requests }) => requests + 3);
      await vi.waitFor(() => expect(crowd.every(({ requests }, at) => requests >= (visits[at] ?? 0))).toBe(true), {
        timeout: PATIENT_MS,
        interval: 10,
      });
    }
  }

  /** Takes one out, and puts another in its place, as a deployment does: the new one first. */
  async function restart(n: number): Promise<void> {
    const kind = n % 2 === 0 ? fleet.gateways : fleet.auths;
    const fresh = n % 2 === 0 ? await bench.gateway(`gateway ${n + 2}`, fleet.auths[0]) : await bench.auth(`auth ${n + 2}`);
    const old = kind.shift();
    kind.push(fresh);
    await old?.[Symbol.asyncDispose]();
  }
});
