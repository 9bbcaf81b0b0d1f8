import { randomBytes } from 'node:crypto';
import type { PhaseBench, PhaseNode } from './phase-bench.ts';
import { TOKEN_S } from './phase-bench.ts';
import type { Kind } from './plan.ts';

/** An answer, as far as a client looks at it. */
export interface Reply {
  readonly status: number;
  /** The stable code of a refusal. */
  readonly code: string | undefined;
  readonly headers: Headers;
  readonly body: Readonly<Record<string, unknown>>;
}

/** What a client has kept. All of it secrets. */
export interface Kept {
  /** Headers by which the session is presented. */
  readonly session?: Readonly<Record<string, string>> | undefined;
  /** The session's token or the cookie's value, as it is exchanged. */
  readonly subject?: { readonly token: string; readonly type: string } | undefined;
  readonly jwt?: string | undefined;
  readonly renewal?: string | undefined;
}

const EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange';
const SESSION_TYPE = 'urn:wherry:token-type:session';
const COOKIE_TYPE = 'urn:wherry:token-type:legacy-cookie';
const PASSWORD = 'correct horse battery';
const COOKIE_MS = 3_600_000;
/** Expired for so long, and within the window in which it may be renewed. */
const AGED_S = 100;

let count = 0;

/** A user at his client. It does what it is told, and keeps what it gets. */
export class Visitor {
  readonly kind: Kind;
  readonly userId: number;
  readonly #bench: PhaseBench;
  readonly #username: string;
  #registered: string | undefined;
  #rawId = '';
  kept: Kept = {};
  /** All that it ever had of the present session. */
  history: Kept[] = [];

  /** `like`: the same user with another session. */
  constructor(bench: PhaseBench, kind: Kind, like?: Visitor) {
    this.#bench = bench;
    this.kind = kind;
    this.userId = like?.userId ?? ++count + Math.floor(Date.now() / 1000) * 1000;
    this.#username = `visitor${this.userId}`;
  }

  /** The user as claims and identity headers name him. */
  get subject(): string {
    return this.#registered ?? String(this.userId);
  }

  keep(more: Kept): void {
    this.kept = { ...this.kept, ...more };
    this.history.push(more);
  }

  forget(...what: readonly (keyof Kept)[]): void {
    this.kept = Object.fromEntries(Object.entries(this.kept).filter(([name]) => !what.includes(name as keyof Kept)));
  }

  /** Signs in for as long as it may be, and keeps what is given out. What was kept of the session before is forgotten, unended. */
  async logIn(auth: PhaseNode): Promise<Reply> {
    if (this.kind === 'cookie') return this.#logInAtApplication();
    if (this.#registered === undefined) {
      const answer = await send(auth, '/v1/users', { username: this.#username, password: PASSWORD });
      if (answer.status !== 201) return answer;
      this.#registered = String(answer.body['userId']);
    }
    const body = { username: this.#username, password: PASSWORD, clientId: 'page', renewable: true };
    const reply = await send(auth, '/v1/login', body);
    if (reply.status !== 200) return reply;
    this.kept = {};
    this.history = [];
    const { sessionToken, accessToken, renewalCredential } = reply.body;
    this.keep({
      ...(typeof sessionToken === 'string' ? sessionOf(sessionToken) : {}),
      ...(typeof accessToken === 'string' ? { jwt: accessToken } : {}),
      ...(typeof renewalCredential === 'string' ? { renewal: renewalCredential } : {}),
    });
    return reply;
  }

  async #logInAtApplication(): Promise<Reply> {
    this.#rawId = randomBytes(18).toString('base64url');
    const user = { id: this.userId, name: this.#username, roles: ['ROLE_USER'] };
    const value = JSON.stringify({ cookie: { originalMaxAge: COOKIE_MS, path: '/' }, user });
    await this.#bench.carried.save(this.#rawId, value, COOKIE_MS);
    this.kept = {};
    this.history = [];
    const cookie = this.#bench.cookie.build(this.#rawId);
    this.keep({ session: { cookie }, subject: { token: cookie.slice(cookie.indexOf('=') + 1), type: COOKIE_TYPE } });
    return { status: 200, code: undefined, headers: new Headers(), body: {} };
  }

  /** The application's own store loses the session, as when it has run out. */
  async runOut(): Promise<void> {
    if (this.kind === 'cookie' && this.#rawId !== '') await this.#bench.source.end(this.#rawId, 1, 0);
  }

  /** An access token of its session that has run out a while ago, as it had one then. */
  age(): void {
    const claims = claimsOf(this.kept.jwt);
    if (claims === undefined) return;
    const { token } = this.#bench.issuer.issue({
      userId: claims.sub,
      authorities: claims.authorities,
      clientId: claims.client_id,
      sessionId: BigInt(claims.sid),
      generation: claims.gen,
      issuedAt: Math.floor(Date.now() / 1000) - TOKEN_S - AGED_S,
      authTime: Math.min(claims.auth_time, Math.floor(Date.now() / 1000) - TOKEN_S - AGED_S),
      sessionExpiresAt: null,
    });
    this.keep({ jwt: token });
  }

  get jwtIsFresh(): boolean {
    const claims = claimsOf(this.kept.jwt);
    return claims !== undefined && claims.exp * 1000 > Date.now();
  }

  /** An access token and a renewal credential for the session. What is `lost` is not kept. */
  async exchange(auth: PhaseNode, lost = false): Promise<Reply> {
    const { subject } = this.kept;
    const reply = await form(auth, {
      grant_type: EXCHANGE,
      subject_token: subject?.token ?? '',
      subject_token_type: subject?.type ?? '',
      client_id: 'page',
      scope: 'offline_access',
    });
    if (reply.status === 200 && !lost) this.#keepTokens(reply);
    return reply;
  }

  async renew(auth: PhaseNode, lost = false): Promise<Reply> {
    const reply = await form(auth, { grant_type: 'refresh_token', refresh_token: this.kept.renewal ?? '', client_id: 'page' });
    if (reply.status === 200 && !lost) this.#keepTokens(reply);
    return reply;
  }

  #keepTokens({ body }: Reply): void {
    const { access_token: jwt, refresh_token: renewal, session_token: session } = body;
    this.keep({
      ...(typeof jwt === 'string' ? { jwt } : {}),
      ...(typeof renewal === 'string' ? { renewal } : {}),
      ...(typeof session === 'string' ? sessionOf(session) : {}),
    });
  }

  /** What a gateway gives back on the way of a request. */
  keepRenewed({ headers }: Reply): void {
    const jwt = headers.get('x-wherry-access-token');
    const renewal = headers.getSetCookie().map((text) => /^__Host-rt=([^;]+)/.exec(text)?.[1]);
    const [credential] = renewal.filter((value) => value !== undefined);
    this.keep({ ...(jwt === null ? {} : { jwt }), ...(credential === undefined ? {} : { renewal: credential }) });
  }

  /** Ends the session by the best credential that is kept. */
  async logOut(auth: PhaseNode, everywhere: boolean): Promise<Reply> {
    const { jwt, session } = this.kept;
    const headers = this.jwtIsFresh ? { authorization: `Bearer ${jwt}` } : session;
    return send(auth, everywhere ? '/v1/logout-everywhere' : '/v1/logout', undefined, headers);
  }
}

/** A question to a gateway whether a request with these headers may pass. */
export async function ask({ url }: PhaseNode, headers: Readonly<Record<string, string>>): Promise<Reply> {
  // The application's cookie does not say which client it was given to.
  return replyOf(await fetch(`${url}/auth`, { headers: { ...headers, 'x-client-id': 'page' } }));
}

async function form({ url }: PhaseNode, parameters: Readonly<Record<string, string>>): Promise<Reply> {
  return replyOf(await fetch(`${url}/oauth/token`, { method: 'POST', body: new URLSearchParams(parameters) }));
}

async function send({ url }: PhaseNode, path: string, body?: unknown, headers: Readonly<Record<string, string>> = {}): Promise<Reply> {
  const json = body === undefined ? {} : { 'content-type': 'application/json' };
  const rest = body === undefined ? {} : { body: JSON.stringify(body) };
  return replyOf(await fetch(url + path, { method: 'POST', headers: { ...json, ...headers }, ...rest }));
}

async function replyOf(response: Response): Promise<Reply> {
  const text = await response.text();
  const body = text.startsWith('{') ? (JSON.parse(text) as Record<string, unknown>) : {};
  const { code } = body;
  return { status: response.status, code: typeof code === 'string' ? code : undefined, headers: response.headers, body };
}

function sessionOf(token: string): Kept {
  return { session: { authorization: `Bearer ${token}` }, subject: { token, type: SESSION_TYPE } };
}

interface Claims {
  readonly sub: string;
  readonly authorities: readonly string[];
  readonly client_id: string;
  readonly sid: string;
  readonly gen: number;
  readonly auth_time: number;
  readonly exp: number;
}

function claimsOf(token: string | undefined): Claims | undefined {
  const [, payload] = token?.split('.') ?? [];
  return payload === undefined ? undefined : (JSON.parse(Buffer.from(payload, 'base64url').toString()) as Claims);
}
