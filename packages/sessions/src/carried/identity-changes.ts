import type { SessionChange } from '@wherry/revocation';
import type { SessionKey } from '../record.ts';
import type { CarriedContext } from './context.ts';
import { changeBetween, type Identity } from './identity.ts';

/**
 * What a save does to the tokens of its session, where it gives the session to another user or changes what its user may
 * do. The session lives on, and so do the user's others: an application that changes roles in one session (a second
 * factor, another tenant) signs nobody out. Only the tokens that say otherwise end, all of this session, and the next
 * exchange or renewal gives one that says what the session now says.
 *
 * Why no token outlives what it says. Both stores refuse to give a session to another identity than they hold, unless the
 * writer names the very one that it was told of; so each change is known before it is made. Where something is lost, the
 * bound of the session's tokens is durable before that: a crash in between has ended tokens for nothing, which costs an
 * exchange. Between the bound and the write somebody may read the old identity and issue a token past the bound; a second
 * bound after the write ends that. Who dies between the two has left a line in control, and a sweeper raises the bound for
 * him; what it ends was issued in those few milliseconds and has lived for seconds.
 *
 * Where something is only gained, a token of before lets nobody do what he must not. It ends after the write, so that
 * the gain is seen at once; control being away is no reason to refuse the save then.
 */
export class IdentityChanges {
  readonly #context: CarriedContext;
  readonly #key: SessionKey;
  readonly #after: Identity;
  #begun: SessionChange | undefined;
  #gained = false;

  constructor(context: CarriedContext, key: SessionKey, after: Identity) {
    this.#context = context;
    this.#key = key;
    this.#after = after;
  }

  /** Before a session of `before` is written over. Throws `control_unavailable` where something is lost and that cannot be made durable. */
  async expect(before: Identity): Promise<void> {
    const change = changeBetween(before, this.#after);
    if (change === 'gain') this.#gained = true;
    if (change !== 'loss' || this.#begun !== undefined) return;
    this.#begun = await this.#context.revocations.beginSessionChange(this.#key.id);
    await this.#context.at?.('save.change-begun');
  }

  /** After the write: resolves when every instance acts on it, or had its time to. Throws `control_unavailable` where something was lost; a sweeper will end it then. */
  async made(): Promise<void> {
    if (this.#begun === undefined && !this.#gained) return;
    const { revocations, log, lease } = this.#context;
    if (this.#begun !== undefined) {
      await revocations.propagated(await revocations.endSessionChange(this.#begun));
      return;
    }
    // Without news of anybody nothing can be told to anybody.
    if (!lease.leaseValid) return;
    try {
      await revocations.propagated(await revocations.endSessionChange({ id: this.#key.id }));
    } catch (error) {
      log.warn('a session has gained authorities, and its tokens of before could not be ended', { error });
    }
  }
}
