import { Violation } from '../model/violation.ts';
import type { PhaseNode } from './phase-bench.ts';
import type { Presented } from './plan.ts';
import type { Scene } from './run-plan.ts';
import { ask, type Kept, type Reply, type Visitor } from './visitor.ts';

/**
 * What is known of a visitor's session, and what may therefore be answered to him.
 *
 * A live session. Its access token, until it expires, is good at every gateway, in every phase, whatever that gateway has
 * heard. Its renewal credential is good at every auth service that reaches the control database, in every phase. Its session
 * credential is good at a gateway unless that enforces drain by evidence, or knows of `retired`; where it is refused, an auth
 * service exchanges it, unless it is retired. So whoever keeps a renewal credential, or a session credential before `retired`,
 * gets in, with no more than what he has. Who has kept an access token alone has promised himself no more than its life.
 *
 * An ended session: from its acknowledgement on, nothing that was ever given out for it is good anywhere.
 */
export class Ledger {
  readonly #scene: Scene;
  readonly #visitor: Visitor;
  readonly #behind: ReadonlySet<PhaseNode>;
  /** `unknown`: its end was asked for, and nobody has said that it has come. */
  #state: 'none' | 'live' | 'unknown' | 'ended' = 'none';
  /** He has shown that he keeps what he is given: an access token or a renewal credential of the session. */
  #proved = false;

  constructor(scene: Scene, visitor: Visitor, behind: ReadonlySet<PhaseNode>) {
    this.#scene = scene;
    this.#visitor = visitor;
    this.#behind = behind;
  }

  async logIn(at: number): Promise<void> {
    const auth = this.#auth(at);
    if (this.#state === 'live') this.#visitor.history = [];
    const reply = await this.#visitor.logIn(auth);
    if (reply.status !== 200) {
      this.#excuse(auth, reply, 'a log-in');
      return;
    }
    this.#state = 'live';
    this.#proved = false;
    const { jwt, session, renewal } = this.#visitor.kept;
    if (jwt === undefined && session === undefined) throw new Violation('a log-in gave nothing to go in by');
    const narrow = !this.#behind.has(auth) && ['drain', 'retired'].includes(this.#scene.operator.phase);
    if (narrow && session !== undefined && this.#visitor.kind === 'native')
      throw new Violation(`${auth.name} gives out a session token in ${this.#scene.operator.phase}`);
    if (session !== undefined && renewal === undefined && jwt !== undefined && !this.#isCut(auth))
      throw new Violation('a log-in that was to be renewable gave no renewal credential');
    for (const gateway of this.#scene.gateways) await this.#enter(gateway);
  }

  async request(at: number, presented: Presented, lost: boolean): Promise<void> {
    const gateway = this.#gateway(at);
    const headers = this.#headersOf(presented);
    if (headers === undefined) return;
    const fresh = this.#visitor.jwtIsFresh;
    const reply = await ask(gateway, headers);
    if (reply.status === 200 && !lost) this.#visitor.keepRenewed(reply);
    if (this.#state === 'ended' && reply.status === 200) throw new Violation(`${gateway.name} lets an ended session in by ${presented}`);
    if (this.#state !== 'live') return;
    this.#judge(gateway, presented, fresh, reply);
    if (reply.status === 401) await this.#enter(gateway);
  }

  async exchange(at: number, lost: boolean): Promise<void> {
    const auth = this.#auth(at);
    if (this.#visitor.kept.subject === undefined) return;
    const reply = await this.#visitor.exchange(auth, lost);
    if (this.#state === 'ended' && reply.status === 200) throw new Violation(`${auth.name} gives a token for an ended session`);
    if (reply.status === 200 && this.#isRetiredAt(auth)) throw new Violation(`${auth.name} exchanges a session in retired`);
    if (this.#state !== 'live' || reply.status === 200) return;
    if (!['access_tokens_off', 'credential_kind_refused'].includes(reply.code ?? '')) this.#excuse(auth, reply, 'an exchange');
  }

  async renew(at: number, lost: boolean): Promise<void> {
    const auth = this.#auth(at);
    if (this.#visitor.kept.renewal === undefined) return;
    this.#proved = true;
    const reply = await this.#visitor.renew(auth, lost);
    if (this.#state === 'ended' && reply.status === 200) throw new Violation(`${auth.name} renews an ended session`);
    if (this.#state !== 'live') return;
    if (reply.status !== 200) this.#excuse(auth, reply, 'a renewal');
    else this.#checkWayBack(auth, reply);
  }

  /** Who has dropped his session token is given one before there is nothing else to live by. */
  #checkWayBack(auth: PhaseNode, { body }: Reply): void {
    const { retreating } = this.#scene.operator;
    if (retreating && this.kind === 'native' && !this.#behind.has(auth) && typeof body['session_token'] !== 'string')
      throw new Violation(`${auth.name} renews while the rollout goes back, and gives no session token`);
  }

  /** His access token runs out. */
  age(): void {
    if (this.#state === 'live') this.#visitor.age();
  }

  /** As clients do that have gone over: only who can renew may. */
  forgetSession(): void {
    if (this.#visitor.kept.renewal !== undefined) this.#visitor.forget('session', 'subject');
  }

  get kind(): Visitor['kind'] {
    return this.#visitor.kind;
  }

  /** The session runs out with its time; what was given out for it is too old to be looked at. */
  async runOut(): Promise<void> {
    await this.#visitor.runOut();
    this.#visitor.kept = {};
    this.#visitor.history = [];
    this.#state = 'none';
  }

  async logOut(at: number, everywhere: boolean): Promise<void> {
    if (this.#state !== 'live') return;
    const auth = this.#auth(at);
    if (!this.#visitor.jwtIsFresh && (this.#visitor.kept.session === undefined || this.#scene.operator.phase === 'retired')) return;
    const reply = await this.#visitor.logOut(auth, everywhere);
    this.#state = 'unknown';
    if (reply.status !== 204) {
      if (reply.status === 401) throw new Violation(`${auth.name} does not let a live session end: ${reply.code}`);
      this.#excuse(auth, reply, 'a log-out');
      return;
    }
    if (reply.headers.get('x-wherry-propagated') !== 'true') return;
    this.#state = 'ended';
    await this.#staysOut();
  }

  /** He wants to get in, by whatever he has. */
  async getIn(at: number): Promise<void> {
    if (this.#state === 'live') await this.#enter(this.#gateway(at));
    if (this.#state === 'ended') await this.#staysOut();
  }

  /** What a client does that wants in: its token, its renewal credential, its session, and the exchange of that. */
  async #enter(gateway: PhaseNode): Promise<void> {
    const { kept } = this.#visitor;
    const session = kept.session !== undefined && this.#scene.operator.phase !== 'retired';
    if (!session && kept.renewal === undefined && !this.#visitor.jwtIsFresh) return;
    if (await this.#passes(gateway, 'jwt')) return;
    const refused: string[] = [];
    for (const auth of this.#authsByHealth()) {
      if (this.#visitor.kept.renewal === undefined) break;
      this.#proved = true;
      const reply = await this.#visitor.renew(auth);
      if (reply.status === 200) this.#checkWayBack(auth, reply);
      if (reply.status === 200 && (await this.#passes(gateway, 'jwt'))) return;
      refused.push(`renewal ${reply.code}`);
      if (reply.status !== 200) this.#excuse(auth, reply, 'a renewal');
    }
    if (await this.#passes(gateway, 'session')) return;
    for (const auth of this.#authsByHealth()) {
      if (this.#visitor.kept.subject === undefined) break;
      const reply = await this.#visitor.exchange(auth);
      if (reply.status === 200 && (await this.#passes(gateway, 'jwt'))) return;
      refused.push(`exchange ${reply.code}`);
    }
    throw new Violation(
      `${this.#visitor.kind} visitor with a live session and ${Object.keys(kept).join(' ')} is kept out by ${gateway.name}: ${refused.join(', ')}`,
    );
  }

  async #passes(gateway: PhaseNode, presented: Presented): Promise<boolean> {
    const headers = this.#headersOf(presented);
    if (headers === undefined) return false;
    const fresh = this.#visitor.jwtIsFresh;
    const reply = await ask(gateway, headers);
    this.#judge(gateway, presented, fresh, reply);
    return reply.status === 200;
  }

  /** Holds the answer to a live session against what the gateway may say by what it has heard. */
  #judge(gateway: PhaseNode, presented: Presented, fresh: boolean, reply: Reply): void {
    const { status, code } = reply;
    if (presented !== 'session') this.#proved = true;
    const told = `${gateway.name} answers ${status} ${code ?? ''} to a live session by ${presented}`;
    if (status === 200) {
      const user = reply.headers.get('x-wherry-user-id');
      if (user !== this.#visitor.subject) throw new Violation(`${gateway.name} lets ${this.#visitor.subject} in as ${user}`);
      if (presented === 'session' && this.#isRetiredAt(gateway)) throw new Violation(`${gateway.name} accepts a session in retired`);
      return;
    }
    // It asks one auth service, and that may not know.
    const asked = this.#scene.auths[this.#scene.gateways.indexOf(gateway)];
    if (presented === 'renewed' && code === 'renewal_unavailable' && asked !== undefined && this.#isCut(asked)) return;
    if (status !== 401) throw new Violation(told);
    switch (presented) {
      case 'jwt':
      case 'both':
        if (fresh || code !== 'token_expired') throw new Violation(told);
        return;
      case 'renewed':
        throw new Violation(told);
      case 'session': {
        const policy = gateway.policyFor(this.#visitor.subject);
        const lease = gateway.runtime.instance.leaseValid;
        if (code === 'credential_kind_refused' && policy?.acceptSessions === false) return;
        if (code === 'session_token_superseded' && policy?.minimum === 'only' && lease && this.#proved) return;
        throw new Violation(told);
      }
    }
  }

  /** Nothing that was ever given out for the session opens anything. */
  async #staysOut(): Promise<void> {
    for (const kept of this.#visitor.history) {
      for (const gateway of this.#scene.gateways) {
        for (const headers of [kept.session, kept.jwt === undefined ? undefined : { authorization: `Bearer ${kept.jwt}` }]) {
          if (headers === undefined) continue;
          const { status } = await ask(gateway, headers);
          if (status === 200) throw new Violation(`${gateway.name} lets an ended session in`);
        }
      }
      for (const auth of this.#scene.auths) await this.#getsNothing(auth, kept);
    }
  }

  async #getsNothing(auth: PhaseNode, kept: Kept): Promise<void> {
    const present = this.#visitor.kept;
    this.#visitor.kept = kept;
    try {
      if (kept.renewal !== undefined && (await this.#visitor.renew(auth, true)).status === 200)
        throw new Violation(`${auth.name} renews an ended session`);
      if (kept.subject !== undefined && (await this.#visitor.exchange(auth, true)).status === 200)
        throw new Violation(`${auth.name} gives a token for an ended session`);
    } finally {
      this.#visitor.kept = present;
    }
  }

  #headersOf(presented: Presented): Readonly<Record<string, string>> | undefined {
    const { jwt, session, renewal } = this.#visitor.kept;
    const bearer = jwt === undefined ? undefined : { authorization: `Bearer ${jwt}` };
    switch (presented) {
      case 'jwt':
        return bearer;
      case 'session':
        return session;
      case 'both':
        return bearer === undefined || session?.['cookie'] === undefined ? undefined : { ...session, ...bearer };
      case 'renewed':
        return bearer === undefined || renewal === undefined ? undefined : { ...bearer, cookie: `__Host-rt=${renewal}` };
    }
  }

  /** A process that is cut off may say that it cannot know; everybody else has to know. */
  #excuse(auth: PhaseNode, { status, code }: Reply, what: string): void {
    if (this.#isCut(auth) && status === 503) return;
    throw new Violation(`${auth.name} answers ${what} of a live session with ${status} ${code ?? ''}`);
  }

  #isRetiredAt(node: PhaseNode): boolean {
    return this.#scene.operator.phase === 'retired' && !this.#behind.has(node);
  }

  #isCut(node: PhaseNode): boolean {
    return node.control.isCut;
  }

  /** Who hears of everything is asked last, so that the others are asked at all. */
  #authsByHealth(): readonly PhaseNode[] {
    return this.#scene.auths.toSorted((a, b) => Number(this.#behind.has(b)) - Number(this.#behind.has(a)));
  }

  #gateway(at: number): PhaseNode {
    return this.#scene.gateways[at % 2] as PhaseNode;
  }

  #auth(at: number): PhaseNode {
    return this.#scene.auths[at % 2] as PhaseNode;
  }
}
