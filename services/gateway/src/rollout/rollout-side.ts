import type { Component, Logger } from '@wherry/core';
import type { Database } from '@wherry/core/control';
import type { TokenFamilies } from '@wherry/renewal';
import {
  ClientNaming,
  ClientUsage,
  RolloutMeter,
  deprecationHeaders,
  type ClientNamingOptions,
  type DeprecationOptions,
  type RolloutState,
} from '@wherry/rollout';
import type { SessionRuntime } from '@wherry/sessions';
import { ArmCounts } from './arm-counts.ts';
import { EvidenceNotes } from './evidence-notes.ts';
import { SessionPolicy } from './session-policy.ts';

/** Options of {@link RolloutSide}. */
export interface RolloutSideOptions {
  readonly rollout: RolloutState;
  readonly runtime: SessionRuntime;
  /** Where counts and the use of credentials are reported; absent: nowhere. */
  readonly reports: Database | undefined;
  readonly families: TokenFamilies | undefined;
  readonly clients: ClientNamingOptions | undefined;
  readonly deprecation: DeprecationOptions | undefined;
  readonly log: Logger;
}

/** What the rollout needs of a gateway: that it keeps to the policy, and that it says what it sees. */
export class RolloutSide implements Component {
  readonly name = 'gateway-rollout';
  readonly policy: SessionPolicy;
  readonly arms: ArmCounts | undefined;
  readonly usage: ClientUsage | undefined;
  readonly notes: EvidenceNotes | undefined;
  readonly #meter: RolloutMeter | undefined;

  /** Errors: `config_invalid`. */
  constructor({ rollout, runtime, reports, families, clients, deprecation, log }: RolloutSideOptions) {
    if (reports !== undefined) {
      this.#meter = new RolloutMeter({ database: reports, course: () => rollout.course, log });
      this.arms = new ArmCounts({ rollout, meter: this.#meter });
      this.usage = new ClientUsage({ database: reports, instanceId: () => runtime.instance.id, role: 'gateway', now: runtime.now, log });
    }
    this.notes = families === undefined ? undefined : new EvidenceNotes({ families });
    this.policy = new SessionPolicy({
      rollout,
      naming: new ClientNaming(clients ?? { clients: [] }),
      usage: this.usage,
      families,
      notes: this.notes,
      deprecation: Object.entries(deprecationHeaders(deprecation ?? {})).flat(),
    });
  }

  async run(): Promise<void> {
    await this.usage?.run();
    await this.#meter?.run();
  }

  async drain(): Promise<void> {
    await this.notes?.drained();
  }

  /** Says the last of what was seen. */
  async stop(): Promise<void> {
    await this.#meter?.stop();
    await this.usage?.stop();
  }
}
