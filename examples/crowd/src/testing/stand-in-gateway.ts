import { randomBytes } from 'node:crypto';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { StandInRenewals } from './stand-in-renewals.ts';

/** A request on its way through, as far as a fault needs it. */
export interface Passing {
  readonly method: string;
  readonly path: string;
  /** The Cookie or Authorization header; empty: neither. */
  readonly credential: string;
  readonly body: string;
}

/** An answer on its way back. */
export interface Reply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | readonly string[]>>;
  readonly body: string;
}

/** A fault: sees each answer before the client does and may replace it. */
export type Tamper = (passing: Passing, reply: Reply) => Reply;

/** A small gateway that can be made to lie. */
export interface StandInGateway {
  readonly url: string;
  tamper: Tamper;
  /** How long a token lives, seconds. */
  tokenSeconds: number;
  /** Answers the next requests with 503 instead of passing them on. */
  failNext: number;
  /** Tells users of cookies to go over to tokens. */
  leads: boolean;
  /** Takes no cookies any more. */
  retired: boolean;
  readonly renewals: StandInRenewals;
  close(): Promise<void>;
}

interface Grant {
  readonly cookie: string;
  readonly identity: { readonly userId: string; readonly authorities: readonly string[] };
  readonly expiresAt: number;
  used: boolean;
}

/**
 * Stands between crowd and application: passes cookies through, exchanges them for opaque tokens that it keeps in a
 * map, and tells the application who a token's user is. It is honest unless told otherwise.
 */
export async function startStandInGateway(upstream: string): Promise<StandInGateway> {
  const grants = new Map<string, Grant>();
  const revoke = (cookie: string): void => {
    gateway.renewals.end(cookie);
    for (const [token, grant] of grants) if (grant.cookie === cookie) grants.delete(token);
  };

  const pass = async (request: IncomingMessage, body: string): Promise<Reply> => {
    const { method = 'GET', url: path = '/', headers } = request;
    if (path === '/oauth/token') return exchange(new URLSearchParams(body));
    const bearer = headers.authorization?.replace('Bearer ', '');
    const grant = bearer === undefined ? undefined : grants.get(bearer);
    // Its first use is good however late: on a machine that stood still, tokens of a second would never be in time.
    const over = grant?.used === true && grant.expiresAt <= Date.now();
    const renewed = over ? await renewOnTheWay(grant, request.headers.cookie ?? '') : undefined;
    if (renewed !== undefined) {
      headers.authorization = `Bearer ${renewed.token}`;
      const reply = await pass(request, body);
      return { ...reply, headers: { ...reply.headers, ...renewed.headers } };
    }
    if (bearer !== undefined && (grant === undefined || over)) return { status: 401, headers: {}, body: '' };
    if (grant !== undefined) grant.used = true;
    if (path === '/v1/logout' && grant !== undefined) {
      revoke(grant.cookie);
      return ask('POST', '/logout', { cookie: grant.cookie }, '{}');
    }
    const cookie = (headers.cookie ?? '').replace(/(^|; )__Host-rt=[^;]*/, '');
    if (gateway.retired && grant === undefined && cookie !== '') return { status: 401, headers: {}, body: '' };
    const identity = grant?.identity;
    const answer = await ask(
      method,
      path,
      {
        cookie,
        ...(identity === undefined ? {} : { 'x-wherry-user-id': identity.userId, 'x-wherry-kind': 'jwt' }),
        ...(identity === undefined ? {} : { 'x-wherry-authorities': identity.authorities.map(encodeURIComponent).join(' ') }),
      },
      body,
    );
    if ((path === '/logout' || path === '/rotate') && answer.status < 300) revoke(cookie);
    return gateway.leads && grant === undefined && cookie !== ''
      ? { ...answer, headers: { ...answer.headers, deprecation: '@0' } }
      : answer;
  };

  const renewOnTheWay = async (grant: Grant, cookies: string): Promise<{ token: string; headers: Record<string, string> } | undefined> => {
    const credential = /__Host-rt=([^;]+)/.exec(cookies)?.[1];
    const renewed = credential === undefined ? undefined : gateway.renewals.renew(credential);
    const token = renewed?.cookie === grant.cookie ? await tokenOf(grant.cookie) : undefined;
    if (token === undefined || renewed === undefined) return undefined;
    const seconds = String(gateway.tokenSeconds);
    return {
      token,
      headers: {
        'x-wherry-access-token': token,
        'x-wherry-expires-in': seconds,
        'set-cookie': `__Host-rt=${renewed.successor}; Path=/; Secure; HttpOnly`,
      },
    };
  };

  const exchange = async (form: URLSearchParams): Promise<Reply> => {
    const refused: Reply = { status: 400, headers: {}, body: JSON.stringify({ error: 'invalid_grant' }) };
    const renews = form.get('grant_type') === 'refresh_token';
    const renewed = renews ? gateway.renewals.renew(form.get('refresh_token') ?? '') : undefined;
    if (renews && renewed === undefined) return refused;
    const cookie = renewed?.cookie ?? `connect.sid=${encodeURIComponent(form.get('subject_token') ?? '')}`;
    const token = await tokenOf(cookie);
    if (token === undefined) return refused;
    const wanted = form.get('scope') === 'offline_access' ? gateway.renewals.begin(cookie) : undefined;
    const refresh = renewed?.successor ?? wanted;
    const said = { access_token: token, expires_in: gateway.tokenSeconds, ...(refresh === undefined ? {} : { refresh_token: refresh }) };
    return { status: 200, headers: {}, body: JSON.stringify(said) };
  };

  const tokenOf = async (cookie: string): Promise<string | undefined> => {
    const answer = await ask('GET', '/whoami', { cookie }, '');
    if (answer.status !== 200) return undefined;
    const token = randomBytes(16).toString('hex');
    grants.set(token, {
      cookie,
      identity: JSON.parse(answer.body) as Grant['identity'],
      expiresAt: Date.now() + gateway.tokenSeconds * 1000,
      used: false,
    });
    return token;
  };

  const ask = async (method: string, path: string, headers: Record<string, string>, body: string): Promise<Reply> => {
    const init = method === 'GET' ? { method } : { method, body };
    const answer = await fetch(`${upstream}${path}`, { ...init, headers: { ...headers, 'content-type': 'application/json' } });
    const cookies = answer.headers.getSetCookie();
    return { status: answer.status, headers: cookies.length === 0 ? {} : { 'set-cookie': cookies }, body: await answer.text() };
  };

  const server = createServer((request, response) => {
    void (async (): Promise<void> => {
      const body = (await buffer(request)).toString();
      let reply: Reply = { status: 503, headers: { 'retry-after': '0.05' }, body: '' };
      if (gateway.failNext > 0) gateway.failNext--;
      else {
        const { method = 'GET', url: path = '/', headers } = request;
        const passing = { method, path, credential: headers.authorization ?? headers.cookie ?? '', body };
        reply = gateway.tamper(passing, await pass(request, body));
      }
      response.writeHead(reply.status, reply.headers as Record<string, string | string[]>).end(reply.body);
    })().catch(() => response.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const gateway: StandInGateway = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    tamper: (_passing, reply) => reply,
    tokenSeconds: 300,
    failNext: 0,
    leads: false,
    retired: false,
    renewals: new StandInRenewals(),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
  return gateway;
}
