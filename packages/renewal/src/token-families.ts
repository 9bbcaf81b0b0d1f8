import { timingSafeEqual } from 'node:crypto';
import { WherryError } from '@wherry/core';
import {
  GatheredRead,
  SlotFollower,
  slotOf,
  type FencedWrite,
  type ShardSet,
  type SlotKey,
  type SlotMap,
  type Written,
} from '@wherry/shards';
import { familyKeysOfUser } from './by-user.ts';
import { credentialText, digestOf, newCredential, readCredential, siblingCredential, type RenewalCredential } from './credential.ts';
import { DeadFamilies, type FamilySweep, type FamilySweepOptions } from './dead-families.ts';
import { evidenceRead, type ClientEvidence } from './evidence.ts';
import { FAMILY_COLUMNS, familyRow } from './family-row.ts';
import { endedStep, newVersion, renewedStep, rotatedFamily, rotationOf } from './family-steps.ts';
import type { Family, FamilyRow } from './family.ts';
import { anyAlive } from './living-families.ts';
import { requireMs } from './require-ms.ts';
import type { BearerRenewal, BegunFamily, CredentialRenewal, FamilyBeginning, FamilyEnding, Presenting, Renewal } from './renewal.ts';
import {
  beginStatement,
  deleteStatement,
  endSessionStatement,
  endStatement,
  evidenceStatement,
  makeRoomStatement,
  rotateStatement,
  stepStatement,
  type BeginItem,
  type EndItem,
  type EvidenceItem,
  type RoomItem,
  type RotateItem,
  type StatementContext,
  type StepItem,
} from './statements.ts';
import { openSuccessor } from './successor.ts';
import { verdictOf, type RenewalRules, type Verdict } from './verdict.ts';

/** Options of {@link TokenFamilies}. Times in ms. */
export interface TokenFamiliesOptions {
  readonly shards: ShardSet;
  readonly map: SlotMap;
  /** How long after its end a token may still be renewed, and a credential whose successor never arrived get another: twice a token's life. */
  readonly windowMs: number;
  /** How long a repeated credential is answered with the very same successor; default 30,000, or the window where that is shorter. */
  readonly graceMs?: number;
  /** Most successors of a family of mode `bearer`; default 0: there are no such families. */
  readonly maxBearerRenewals?: number;
  /** Most living families of a session; one more ends that which was idle longest. Default 16. */
  readonly maxPerSession?: number;
  /** Longest wait for a slot that is closing or moving; default 2000. */
  readonly deadlineMs?: number;
}

const GRACE_MS = 30_000;
/** Bound of repeats of what others keep changing. Each of them means that another one got on. */
const MAX_TURNS = 64;

/**
 * Families of renewal credentials, in the slots of their sessions.
 *
 * A renewal reads the row, decides, and takes one step from the very state that it decided on, in one fenced statement.
 * So the steps of a family have one order over all instances, and each was decided on the state before it; who comes
 * second decides anew. Nothing of a family is kept here.
 *
 * What the caller has to see to: that the session lives, at every renewal. All calls throw `shard_unavailable` and
 * `slot_not_owned` as other statements on the shards do; a call that threw may or may not have happened, and repeating
 * it is harmless: a renewal is then answered with the same successor.
 */
export class TokenFamilies {
  readonly #shards: ShardSet;
  readonly #windowMs: number;
  readonly #graceMs: number;
  readonly #maxBearerRenewals: number;
  readonly #maxPerSession: number;
  readonly #rows: GatheredRead<SlotKey, FamilyRow | undefined>;
  readonly #evidence: GatheredRead<SlotKey, readonly ClientEvidence[]>;
  readonly #begin: FencedWrite<BeginItem>;
  readonly #rotate: FencedWrite<RotateItem>;
  readonly #step: FencedWrite<StepItem>;
  readonly #end: FencedWrite<EndItem>;
  readonly #endSession: FencedWrite<EndItem>;
  readonly #makeRoom: FencedWrite<RoomItem>;
  readonly #note: FencedWrite<EvidenceItem>;
  readonly #dead: DeadFamilies;
  /** Steps of this process under way, by family: who comes meanwhile waits, and then decides on what it left. */
  readonly #stepping = new Map<bigint, Promise<unknown>>();

  constructor(options: TokenFamiliesOptions) {
    const {
      shards,
      map,
      windowMs,
      graceMs = Math.min(GRACE_MS, windowMs),
      maxBearerRenewals = 0,
      maxPerSession = 16,
      deadlineMs = 2000,
    } = options;
    requireMs('graceMs', graceMs, 0);
    requireMs('windowMs', windowMs, graceMs);
    this.#shards = shards;
    this.#windowMs = windowMs;
    this.#graceMs = graceMs;
    this.#maxBearerRenewals = maxBearerRenewals;
    this.#maxPerSession = maxPerSession;
    const context: StatementContext = { shards, map, follower: new SlotFollower({ map, shards }), deadlineMs };
    this.#rows = new GatheredRead<SlotKey, FamilyRow | undefined>({
      name: 'family-get',
      table: 'token_family',
      columns: FAMILY_COLUMNS,
      decode: (row, key) => familyRow(row, key),
      absent: undefined,
      ...context,
    });
    this.#evidence = evidenceRead(context);
    this.#begin = beginStatement(context);
    this.#rotate = rotateStatement(context);
    this.#step = stepStatement(context);
    this.#end = endStatement(context);
    this.#endSession = endSessionStatement(context);
    this.#makeRoom = makeRoomStatement(context);
    this.#note = evidenceStatement(context);
    this.#dead = new DeadFamilies(shards, deleteStatement(context));
  }

  /** Begins a family. Each call makes one of its own: what other tabs or devices hold goes on to hold. Throws `config_invalid` for mode `bearer` while it is off. */
  async begin(beginning: FamilyBeginning): Promise<BegunFamily> {
    const { id: chosen, sessionId, mode = 'credential', boundTo = null, now = null, ...rest } = beginning;
    if (mode === 'bearer' && this.#maxBearerRenewals === 0)
      throw new WherryError('config_invalid', 'maxBearerRenewals is 0, so access tokens cannot be renewed without a credential');
    for (let turn = 0; turn < MAX_TURNS; turn++) {
      const credential = newCredential(mode, sessionId, chosen);
      const { slot, familyId: id } = credential;
      const { outcome } = await this.#begin.underCurrent({
        ...rest,
        slot,
        id,
        sessionId,
        mode,
        boundTo,
        now,
        most: this.#maxPerSession,
        version: newVersion(),
        familyDigest: digestOf(credential.familySecret),
        current: digestOf(credential.secret),
      });
      if (outcome === 'applied' || outcome === 'older') return { credential: credentialText(credential), slot, id };
      if (outcome === 'ended') await this.#makeRoom.underCurrent({ slot, id: sessionId, now, most: this.#maxPerSession });
    }
    throw crowded();
  }

  /** Renews by credential: see {@link Renewal}. */
  async renew(renewal: CredentialRenewal): Promise<Renewal> {
    const credential = readCredential(renewal.credential);
    if (credential?.mode !== 'credential') return { outcome: 'unknown' };
    // What comes while a step is under way is hardly the current one when that is done.
    if (this.#stepping.has(credential.familyId)) return this.#renew(credential, renewal);
    const rotation = rotationOf(credential, renewal);
    const { outcome, row } = await this.#alone(credential.familyId, this.#rotate.underCurrent(rotation.item));
    if (outcome !== 'applied') return this.#renew(credential, renewal, { rotated: rotation.item.version });
    return { outcome: 'renewed', successor: rotation.successor, repeated: false, family: rotatedFamily(credential, row) };
  }

  /**
   * Renews by an expired access token alone. Weaker: what has been logged or copied with a request renews as well as its
   * owner does, until one of the two comes second. `expired` for a token that ended longer ago than the window.
   */
  async renewBearer(renewal: BearerRenewal): Promise<Renewal> {
    const credential = readCredential(renewal.jti);
    if (credential?.mode !== 'bearer' || this.#maxBearerRenewals === 0) return { outcome: 'unknown' };
    return this.#renew(credential, renewal, { expiredAt: renewal.expiredAt });
  }

  /** The family of a credential that would be renewed now; undefined otherwise. Changes nothing (RFC 7662). */
  async inspect(renewal: CredentialRenewal): Promise<Family | undefined> {
    const credential = readCredential(renewal.credential);
    if (credential?.mode !== 'credential') return undefined;
    const row = await this.#rows.get({ slot: credential.slot, id: credential.familyId });
    if (row === undefined || !isOfFamily(row, credential) || !isPresenters(row, renewal)) return undefined;
    const { step } = this.#judge(row, credential, renewal);
    return step === 'rotate' || step === 'repeat' || step === 'supersede' ? row.family : undefined;
  }

  /**
   * Ends the family of a credential, of whichever age (RFC 7009), and answers its id, also where it had ended before: what a
   * caller ends beside it may have been cut short. undefined where it is none of a family, or another client's. Of mode
   * `bearer` only where that is asked for: a `jti` is no secret, so the caller has verified the token that it is of.
   */
  async end(credential: string, options: FamilyEnding = {}): Promise<bigint | undefined> {
    const read = readCredential(credential);
    if (read?.mode !== (options.mode ?? 'credential')) return undefined;
    const row = await this.#rows.get({ slot: read.slot, id: read.familyId });
    if (row === undefined || !isOfFamily(row, read)) return undefined;
    if (options.clientId !== undefined && options.clientId !== row.family.clientId) return undefined;
    await this.#end.underCurrent({ slot: read.slot, id: read.familyId, now: options.now ?? null, reason: 'revoked' });
    return read.familyId;
  }

  /** Ends all families of a session, which has ended before: one that begins meanwhile is denied by the session. Idempotent. */
  async endOfSession(sessionId: bigint, now: number | null = null): Promise<void> {
    await this.#endSession.underCurrent({ slot: slotOf(sessionId), id: sessionId, now, reason: 'session_ended' });
  }

  /** Ends a user's families of a generation below `belowGeneration`, which was raised before, on all shards; answers how many. Idempotent. */
  async endUser(userId: string, belowGeneration: number, now: number | null = null): Promise<number> {
    const ended = await Promise.all(
      this.#shards.all.map(async (shard) => {
        let count = 0;
        for await (const keys of familyKeysOfUser(shard, userId, belowGeneration)) {
          await Promise.all(keys.map(async (key) => this.#end.underCurrent({ ...key, now, reason: 'user_ended' })));
          count += keys.length;
        }
        return count;
      }),
    );
    return ended.reduce((sum, count) => sum + count, 0);
  }

  /** True when a family is alive on any shard: neither ended nor past a cap. What a user's generation has ended counts until it is ended here. */
  async aliveAny(now: number | null = null): Promise<boolean> {
    return anyAlive(this.#shards, now);
  }

  /** Removes families that have been dead for long, a bounded number a call. */
  async sweep(options: FamilySweepOptions = {}): Promise<FamilySweep> {
    return this.#dead.sweep(options);
  }

  /** Notes that a client presented an access token of the session. Only the first time counts, so it may be written again, late, or in any order. */
  async noteProof(sessionId: bigint, clientId: string, at: number): Promise<void> {
    await this.#note.underCurrent({ slot: slotOf(sessionId), id: sessionId, clientId, provedAt: at, sessionTokenUsedAt: null });
  }

  /** Notes that a client used the session's token. Only the last time counts, so callers gather: written at once, in batches with others. */
  async noteSessionTokenUse(sessionId: bigint, clientId: string, at: number): Promise<void> {
    await this.#note.underCurrent({ slot: slotOf(sessionId), id: sessionId, clientId, provedAt: null, sessionTokenUsedAt: at });
  }

  /** What is known of the clients of a session that have, or had, a family; by client id. */
  async evidenceOf(sessionId: bigint): Promise<readonly ClientEvidence[]> {
    return this.#evidence.get({ slot: slotOf(sessionId), id: sessionId });
  }

  /** `rotated`: the version that a statement of this call may have made, should its answer have been lost. */
  async #renew(
    credential: RenewalCredential,
    presenting: Presenting,
    { rotated, expiredAt }: { readonly rotated?: bigint; readonly expiredAt?: number } = {},
  ): Promise<Renewal> {
    const { slot, familyId: id } = credential;
    for (let turn = 0; turn < MAX_TURNS; turn++) {
      await this.#stepping.get(id)?.catch(() => undefined);
      const row = await this.#rows.get({ slot, id });
      if (row === undefined || !isOfFamily(row, credential) || !isPresenters(row, presenting)) return { outcome: 'unknown' };
      const { family } = row;
      const verdict = this.#judge(row, credential, presenting, expiredAt);
      switch (verdict.step) {
        case 'repeat':
          return {
            outcome: 'renewed',
            successor: openedText(credential, verdict.sealedSuccessor, row),
            repeated: row.version !== rotated,
            family,
          };
        case 'ended':
          return verdict.reason === 'reused'
            ? { outcome: 'reused', first: false, family }
            : { outcome: 'ended', reason: verdict.reason, family };
        case 'expired':
        case 'generation_old':
        case 'capped':
          return { outcome: verdict.step, family };
        case 'reuse':
          if (await this.#take(id, endedStep(row, presenting.now ?? row.readAt))) return { outcome: 'reused', first: true, family };
          break;
        case 'rotate':
        case 'supersede': {
          const successor = siblingCredential(credential);
          const step = renewedStep(row, credential, successor, verdict.step, presenting.now ?? row.readAt);
          if (!(await this.#take(id, step))) break;
          const renewed = { ...family, renewals: step.renewals, idleExpiry: step.idleExpiry };
          return { outcome: 'renewed', successor: credentialText(successor), repeated: false, family: renewed };
        }
      }
    }
    throw crowded();
  }

  #judge(row: FamilyRow, { secret }: RenewalCredential, presenting: Presenting, expiredAt?: number): Verdict {
    const rules: RenewalRules = {
      now: presenting.now ?? row.readAt,
      expiredAt,
      graceMs: this.#graceMs,
      windowMs: this.#windowMs,
      minimumGeneration: presenting.minimumGeneration,
      maxBearerRenewals: this.#maxBearerRenewals,
    };
    return verdictOf(row, digestOf(secret), rules);
  }

  /** Takes the step; false where somebody else has changed the row first, also in this process. */
  async #take(id: bigint, step: StepItem): Promise<boolean> {
    if (this.#stepping.has(id)) return false;
    const { outcome } = await this.#alone(id, this.#step.underCurrent(step));
    return outcome === 'applied' || outcome === 'older';
  }

  /** Lets others of this process wait for a step of the family. */
  async #alone(id: bigint, step: Promise<Written>): Promise<Written> {
    this.#stepping.set(id, step);
    try {
      return await step;
    } finally {
      this.#stepping.delete(id);
    }
  }
}

/** Proved to be a credential of the family, current or not: nobody else can end it. In constant time. */
function isOfFamily({ family, familyDigest }: FamilyRow, { mode, sessionId, familySecret }: RenewalCredential): boolean {
  return family.sessionId === sessionId && family.mode === mode && timingSafeEqual(familyDigest, digestOf(familySecret));
}

/** The client and the key that the family is bound to. */
function isPresenters({ family }: FamilyRow, { clientId, boundTo }: Presenting): boolean {
  return (clientId === undefined || clientId === family.clientId) && (family.boundTo === null || family.boundTo === boundTo);
}

function openedText(credential: RenewalCredential, sealed: Buffer, { current }: FamilyRow): string {
  return credentialText(openSuccessor(credential, sealed, current));
}

function crowded(): WherryError {
  return new WherryError('conflict', 'the family kept changing under the call');
}
