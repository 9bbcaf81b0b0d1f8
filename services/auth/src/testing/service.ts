import { silentLogger, type Logger } from '@wherry/core';
import type { AuthServiceOptions } from '../options.ts';
import { createAuthService, type AuthService } from '../service.ts';
import type { Addresses, Cluster } from '@wherry/shards/testing';

/** An auth service of one test, listening. */
export interface Running extends AsyncDisposable {
  readonly service: AuthService;
  readonly url: string;
  /** Sends a JSON body, or none. */
  send(method: string, path: string, options?: SendOptions): Promise<Answer>;
  /** Posts a form. */
  form(path: string, parameters: Form, headers?: Readonly<Record<string, string>>): Promise<Answer>;
  /** Posts a form to the token endpoint. */
  exchange(parameters: Form, headers?: Readonly<Record<string, string>>): Promise<Answer>;
}

/** Parameters of a form, or its text; a list is a parameter that is repeated. */
export type Form = Readonly<Record<string, string | readonly string[]>> | string;

/** What to send. */
export interface SendOptions {
  readonly body?: unknown;
  readonly bearer?: string;
  readonly basic?: readonly [string, string];
  readonly headers?: Readonly<Record<string, string>>;
}

/** An answer, its body parsed where it is JSON. */
export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  // Tests look into answers freely.
  readonly body: Readonly<Record<string, unknown>>;
  readonly text: string;
}

/** The grant type of a token exchange. */
export const EXCHANGE: string = 'urn:ietf:params:oauth:grant-type:token-exchange';

type CommonOptions = Pick<
  AuthServiceOptions,
  'masterKey' | 'issuer' | 'audience' | 'accessTokenSeconds' | 'idleSeconds' | 'absoluteSeconds' | 'keyMode' | 'clients' | 'passwords'
> & { readonly operatorSecret: string };

/** What every test's service has in common. */
export const COMMON: CommonOptions = {
  masterKey: Buffer.alloc(32, 7),
  issuer: 'https://auth.test',
  audience: 'test',
  accessTokenSeconds: 300,
  idleSeconds: 1800,
  absoluteSeconds: 86_400,
  keyMode: 'shared',
  operatorSecret: 'operator secret',
  clients: [{ id: 'shop', secret: 'shop secret' }, { id: 'ops', secret: 'ops secret', operator: true }, { id: 'page' }],
  passwords: { memoryKib: 64, passes: 1, maxWaiting: 128 },
};

/** Starts a service on connections of its own. */
export async function startService(
  cluster: Cluster,
  options: Partial<AuthServiceOptions> = {},
  log: Logger = silentLogger,
  addresses: Addresses = {},
): Promise<Running> {
  const { control, shards } = cluster.connect(addresses);
  const service = createAuthService({ ...COMMON, control, shards, log, ...options });
  await service.run?.();
  const url = `http://127.0.0.1:${service.port}`;
  return {
    service,
    url,
    send: async (method, path, send = {}) => answerOf(await fetch(url + path, requestOf(method, send))),
    form: async (path, parameters, headers = {}) => postForm(url + path, parameters, headers),
    exchange: async (parameters, headers = {}) => postForm(`${url}/oauth/token`, parameters, headers),
    [Symbol.asyncDispose]: async () => {
      await service.drain?.(AbortSignal.timeout(5000));
      await service.stop?.();
      await shards.stop();
      await control.end();
    },
  };
}

async function postForm(url: string, form: Form, headers: Readonly<Record<string, string>>): Promise<Answer> {
  const body = typeof form === 'string' ? form : new URLSearchParams(pairsOf(form)).toString();
  return answerOf(await fetch(url, { method: 'POST', headers: { 'content-type': 'application/x-www-form-urlencoded', ...headers }, body }));
}

function pairsOf(form: Exclude<Form, string>): [string, string][] {
  return Object.entries(form).flatMap(([name, value]) =>
    (typeof value === 'string' ? [value] : value).map((one): [string, string] => [name, one]),
  );
}

/** The value of an Authorization header of scheme Basic. */
export function basicHeader(id: string, secret: string): string {
  return `Basic ${Buffer.from(`${encodeURIComponent(id)}:${encodeURIComponent(secret)}`).toString('base64')}`;
}

function requestOf(method: string, { body, bearer, basic, headers }: SendOptions): RequestInit {
  return {
    method,
    headers: {
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...(bearer === undefined ? {} : { authorization: `Bearer ${bearer}` }),
      ...(basic === undefined ? {} : { authorization: basicHeader(...basic) }),
      ...headers,
    },
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  };
}

async function answerOf(response: Response): Promise<Answer> {
  const text = await response.text();
  const json = response.headers.get('content-type')?.includes('json') === true;
  return { status: response.status, headers: response.headers, body: json ? (JSON.parse(text) as Record<string, unknown>) : {}, text };
}
