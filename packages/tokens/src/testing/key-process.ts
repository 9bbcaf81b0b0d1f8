import { Sealer, type Clock } from '@wherry/core';
import { Instance, openDatabase, type Database, type FeedTopic } from '@wherry/core/control';
import { PATIENT_MS } from '@wherry/embedded/testing';
import { createIssuer, type Issuer, type TokenGrant } from '../issuer.ts';
import { KeyKeeper, type KeyKeeperOptions } from '../key-keeper.ts';
import { KeyRing } from '../key-ring.ts';
import { KEY_TOPIC } from '../key-rows.ts';
import { KeyStore, type KeyStoreOptions } from '../key-store.ts';
import { createVerifier, type Verifier } from '../verifier.ts';
import { AUDIENCE, ISSUER, TestRevocations } from './fixtures.ts';

const MASTER_KEY = Buffer.alloc(32, 7);
/** Of a process that is killed: short enough for tests to see it end. */
export const SHORT_LEASE_MS: number = 2500;
/** Of all others: it ends in no pause of the machine. */
const LONG_LEASE_MS = 3_600_000;

/** Options of {@link startKeyProcess}. */
export interface KeyProcessOptions {
  /** Absent: a process that only verifies. */
  readonly mode?: KeyKeeperOptions['mode'];
  readonly alg?: KeyKeeperOptions['alg'];
  readonly rsaBits?: number;
  readonly usesEveryMs?: number;
  readonly rotateAfterMs?: number;
  readonly clock?: Clock;
  readonly store?: Partial<KeyStoreOptions>;
  readonly masterKey?: Buffer;
  readonly leaseMs?: number;
  /** Put around the topic, to hold it up. */
  readonly wrap?: (topic: FeedTopic) => FeedTopic;
}

/** What one process has of keys: its registration, its ring, its verifier, and where it issues, keeper and issuer. */
export interface KeyProcess extends AsyncDisposable {
  readonly database: Database;
  readonly instance: Instance;
  readonly ring: KeyRing;
  readonly store: KeyStore;
  readonly verifier: Verifier;
  readonly issuer: Issuer;
  readonly keeper: KeyKeeper | undefined;
  /** Leaves without looking after its keys, as a process that is killed does: its lease runs out by itself. */
  kill(): Promise<void>;
}

/** Starts what a process of its own would have; nothing is shared with the others but the database. */
export async function startKeyProcess(url: string, options: KeyProcessOptions = {}): Promise<KeyProcess> {
  const database = openDatabase({ url, poolSize: 4, statementMs: PATIENT_MS });
  const sealer = new Sealer(options.masterKey ?? MASTER_KEY, 'signing-key');
  const issues = options.mode !== undefined;
  const ring = new KeyRing({ database, staleMs: () => instance.staleMs(KEY_TOPIC), ...(issues ? { sealer } : {}) });
  const instance = new Instance({
    database,
    role: issues ? 'auth' : 'gateway',
    topics: [options.wrap?.(ring) ?? ring],
    leaseMs: options.leaseMs ?? LONG_LEASE_MS,
    renewMs: 100,
    ...(options.clock === undefined ? {} : { clock: options.clock }),
  });
  const store = new KeyStore({ database, sealer, lifeS: 600, jwksMaxAgeS: 0, ...options.store });
  const { rsaBits, usesEveryMs, rotateAfterMs, clock } = options;
  const keeper =
    options.mode === undefined
      ? undefined
      : new KeyKeeper({
          store,
          ring,
          instance,
          mode: options.mode,
          alg: options.alg ?? 'ES256',
          everyMs: 50,
          ...(rsaBits === undefined ? {} : { rsaBits }),
          ...(usesEveryMs === undefined ? {} : { usesEveryMs }),
          ...(rotateAfterMs === undefined ? {} : { rotateAfterMs }),
          ...(clock === undefined ? {} : { clock }),
        });
  const verifier = createVerifier({
    keys: ring,
    revocations: new TestRevocations(),
    issuer: ISSUER,
    audience: AUDIENCE,
    maxLifeS: 3600,
    keyFreshMs: SHORT_LEASE_MS,
    ...(clock === undefined ? {} : { clock }),
  });
  const issuer = createIssuer({ keys: ring, issuer: ISSUER, audience: AUDIENCE, lifeS: 600 });
  let ended = false;
  const end = async (orderly: boolean): Promise<void> => {
    if (ended) return;
    ended = true;
    if (!orderly) {
      // Before the database ends, which a statement on its way would wait for in vain.
      await instance.stop({ clean: false });
      // Without it no key can be given back.
      await database.end();
      await keeper?.stop();
      return;
    }
    await keeper?.stop();
    await instance.stop();
    await database.end();
  };
  await instance.run();
  await keeper?.run();
  return { database, instance, ring, store, verifier, issuer, keeper, kill: () => end(false), [Symbol.asyncDispose]: () => end(true) };
}

/** A grant of this second. */
export function grantNow(): TokenGrant {
  const second = Math.floor(Date.now() / 1000);
  return {
    userId: '42',
    authorities: ['ROLE_USER'],
    clientId: 'web',
    generation: 0,
    issuedAt: second,
    authTime: second,
    sessionExpiresAt: null,
  };
}

/** Issues a token that the process's own clock dates. */
export function issueFrom(from: KeyProcess): string {
  return from.issuer.issue(grantNow()).token;
}

/** What each process says of the token: `accepted` or the reason. */
export function judged(token: string, ...processes: KeyProcess[]): string[] {
  return processes.map(({ verifier }) => {
    const verification = verifier.verify(token);
    return verification.ok ? 'accepted' : verification.reason;
  });
}

/** A topic whose loading can be held up, as in a process that is slow. */
export function holdUp(): { wrap: (topic: FeedTopic) => FeedTopic; hold(): void; release(): void } {
  let gate = Promise.withResolvers<void>();
  gate.resolve();
  return {
    wrap: (inner) => ({
      topic: inner.topic,
      load: async (since) => {
        await gate.promise;
        return inner.load(since);
      },
    }),
    hold: () => {
      gate = Promise.withResolvers();
    },
    release: () => gate.resolve(),
  };
}
