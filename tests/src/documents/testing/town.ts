import { randomBytes } from 'node:crypto';
import { openDatabase, type Database } from '@wherry/core/control';
import { PATIENT_MS, createTestDatabase, type TestDatabase } from '@wherry/embedded/testing';
import { ROLLOUT_PHASES, changeRolloutSettings, moveRollout, readRollout, rolloutFollowers, settleRollout } from '@wherry/rollout';
import { vi } from 'vitest';
import { startProgram, type RunningProgram } from './process.ts';

/** A phase that a test can go to: the last one takes a whole session life. */
export type PhaseName = Exclude<(typeof ROLLOUT_PHASES)[number], 'retired'>;

const COOKIE_SECRET = 'a secret for tests';
const GUIDE_URL = 'https://shop.example/guide';

/** What stands behind the gateway: the example application with its sessions in Redis, or a server of the test. */
type Behind = { readonly redisUrl: string } | { readonly upstream: string };

/** All that readers of the guide have before them: an application, auth and a gateway, each a process as in life. */
export class Town implements AsyncDisposable {
  readonly control: Database;
  readonly #databases: readonly TestDatabase[];
  readonly #programs: RunningProgram[] = [];
  /** Addresses, as the guide names them. */
  readonly addresses: Record<'AUTH' | 'API' | 'APPLICATION', string> = { AUTH: '', API: '', APPLICATION: '' };

  private constructor(databases: readonly TestDatabase[]) {
    this.#databases = databases;
    this.control = openDatabase({ url: databases[0]?.url ?? '', statementMs: PATIENT_MS });
  }

  static async found(postgresUrl: string, behind: Behind): Promise<Town> {
    const databases = await Promise.all([0, 1, 2].map(() => createTestDatabase(postgresUrl)));
    const town = new Town(databases);
    try {
      await town.#start(behind);
      return town;
    } catch (error) {
      await town[Symbol.asyncDispose]();
      throw error;
    }
  }

  async #start(behind: Behind): Promise<void> {
    const source = 'redisUrl' in behind ? await this.#startApplication(behind.redisUrl) : {};
    if ('upstream' in behind) this.addresses.APPLICATION = behind.upstream;
    const [control = '', ...shards] = this.#databases.map(({ url }) => url);
    const environment = {
      WHERRY_CONTROL_URL: control,
      WHERRY_SHARDS_URLS: shards.join(','),
      WHERRY_MASTER_KEY: randomBytes(32).toString('base64'),
      ...source,
      WHERRY_TOKENS_ISSUER: 'https://auth.shop.example',
      WHERRY_TOKENS_AUDIENCE: 'shop',
      // A token that has run out is waited for; clocks of processes on one machine differ by less.
      WHERRY_TOKENS_SKEW_SECONDS: '5',
      WHERRY_AUTH_PORT: '0',
      WHERRY_GATEWAY_PORT: '0',
      WHERRY_GATEWAY_HOST: '127.0.0.1',
      WHERRY_AUTH_CLIENTS: JSON.stringify([
        { id: 'app', public: true },
        { id: 'kiosk', public: true, tokenSeconds: 5, grants: ['token-exchange', 'expired-access-token'] },
        { id: 'web' },
        { id: 'reports', grants: ['client_credentials'], authorities: ['orders:read'] },
      ]),
      WHERRY_AUTH_RENEWAL_BEARER_ONLY_MAX_RENEWALS: '10',
      WHERRY_AUTH_CLIENT_WEB_SECRET: 'secret-of-web-0001',
      WHERRY_AUTH_CLIENT_REPORTS_SECRET: 'secret-of-reports-0001',
      WHERRY_ROLLOUT_DEPRECATED_AT: '2026-01-01T00:00:00Z',
      WHERRY_ROLLOUT_SUNSET_AT: '2030-01-01T00:00:00Z',
      WHERRY_ROLLOUT_GUIDE_URL: GUIDE_URL,
    };
    const up = (role: string, more: Readonly<Record<string, string>>): Promise<RunningProgram> =>
      this.#run('apps/wherry/src/main.ts', ['up', '--roles', role], { ...environment, ...more }, /"ready"/);
    this.addresses.AUTH = portOf(await up('auth', { WHERRY_AUTH_PUBLIC_URL: 'https://auth.shop.example' }), 'auth');
    this.addresses.API = portOf(
      await up('gateway', {
        WHERRY_GATEWAY_AUTH_URL: this.addresses.AUTH,
        WHERRY_GATEWAY_FORWARD_AUTH_URI_HEADER: 'x-original-uri',
        WHERRY_GATEWAY_ORIGIN: 'https://api.shop.example',
        WHERRY_GATEWAY_ROUTES: JSON.stringify([{ prefix: '/', upstream: this.addresses.APPLICATION }]),
      }),
      'gateway',
    );
    // All users are led, and what a client has shown counts at once.
    await changeRolloutSettings(this.control, { holdOut: 0, quietMs: 0 }, { actor: 'guide', reason: 'a test' });
  }

  /** Answers how its sessions are found. */
  async #startApplication(redisUrl: string): Promise<Readonly<Record<string, string>>> {
    const prefix = `guide-${randomBytes(6).toString('hex')}:`;
    const environment = {
      PORT: '0',
      SESSION_SECRET: COOKIE_SECRET,
      LEGACY_SOURCE: redisUrl,
      LEGACY_KEY_PREFIX: prefix,
      LEGACY_TRUST_GATEWAY: '1',
    };
    const { ready } = await this.#run('examples/legacy-app/src/main.ts', [], environment, /http:/);
    this.addresses.APPLICATION = /http:[^\s,]+/.exec(ready)?.[0] ?? '';
    return { WHERRY_SOURCE_URL: redisUrl, WHERRY_SOURCE_PREFIX: prefix, WHERRY_SOURCE_COOKIE_SECRETS: COOKIE_SECRET };
  }

  async #run(...parameters: Parameters<typeof startProgram>): Promise<RunningProgram> {
    const program = await startProgram(...parameters);
    this.#programs.push(program);
    return program;
  }

  /** Signs `user<n>` in at the application; answers the cookie's value, as it is in the header. */
  async signIn(n: number): Promise<string> {
    const answer = await fetch(`${this.addresses.APPLICATION}/login`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ name: `user${n}`, password: `pw-user${n}` }),
    });
    // To its end: the application writes the session before the last byte of its answer.
    await answer.text();
    const cookie = /^connect\.sid=([^;]+)/.exec(answer.headers.get('set-cookie') ?? '')?.[1];
    if (cookie === undefined) throw new Error(`no cookie came with ${answer.status}`);
    return cookie;
  }

  /** Registers somebody at auth and logs him in; answers his session token. */
  async logIn(username: string): Promise<string> {
    const user = { username, password: 'correct horse battery staple' };
    const send = (path: string, body: object): Promise<Response> =>
      fetch(this.addresses.AUTH + path, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body),
      });
    await send('/v1/users', user);
    const answer = await send('/v1/login', { ...user, clientId: 'app' });
    const { sessionToken } = (await answer.json()) as { readonly sessionToken?: string };
    if (sessionToken === undefined) throw new Error(`the log-in was answered ${answer.status}`);
    return sessionToken;
  }

  /** An access token of a session that has run out. From `dual` on. */
  async expiredToken(sessionToken: string): Promise<string> {
    const { AUTH, API } = this.addresses;
    const answer = await fetch(`${AUTH}/oauth/token`, {
      method: 'POST',
      body: new URLSearchParams({
        client_id: 'kiosk',
        grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
        subject_token_type: 'urn:wherry:token-type:session',
        subject_token: sessionToken,
      }),
    });
    const { access_token: token } = (await answer.json()) as { readonly access_token: string };
    await vi.waitFor(
      async () => {
        const { headers } = await fetch(`${API}/whoami`, { headers: { authorization: `Bearer ${token}` } });
        if (headers.get('x-wherry-reason') !== 'token_expired') throw new Error('it lives');
      },
      { timeout: PATIENT_MS, interval: 200 },
    );
    return token;
  }

  /** Advances the rollout to a phase, all users led, and waits until auth and gateway act on it. */
  async advanceTo(phase: PhaseName): Promise<void> {
    for (;;) {
      const rollout = await readRollout(this.control);
      const move = { actor: 'guide', reason: 'a test', expectedVersion: rollout.version };
      await this.#acting(rollout.seq);
      // The guard of a running service may have settled it meanwhile.
      if (!rollout.settled) await settleRollout(this.control, move).catch(() => undefined);
      else if (ROLLOUT_PHASES.indexOf(rollout.phase) >= ROLLOUT_PHASES.indexOf(phase)) return;
      else await moveRollout(this.control, rollout.phase === 'dual' ? { command: 'advance', percent: 100 } : { command: 'advance' }, move);
    }
  }

  /** Takes the rollout one phase back. */
  async stepBack(): Promise<void> {
    const { version } = await readRollout(this.control);
    const { seq } = await moveRollout(
      this.control,
      { command: 'rollback' },
      { actor: 'guide', reason: 'a test', expectedVersion: version },
    );
    await this.#acting(seq);
  }

  /** Waits until auth and gateway act on a state of the rollout. */
  async #acting(seq: bigint): Promise<void> {
    await vi.waitFor(
      async () => {
        const { behind } = await rolloutFollowers(this.control, seq);
        if (behind.length > 0) throw new Error(`${behind.map(({ role }) => role).join(', ')} behind`);
      },
      { timeout: PATIENT_MS, interval: 20 },
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const program of this.#programs.toReversed()) await program[Symbol.asyncDispose]();
    await this.control.end();
    await Promise.all(this.#databases.map((database) => database.drop()));
  }
}

function portOf({ ready }: RunningProgram, role: string): string {
  const { ports } = JSON.parse(ready) as { readonly ports: Readonly<Record<string, number>> };
  return `http://127.0.0.1:${ports[role]}`;
}
