import type { SourceChange } from '../../source/change-feed.ts';
import { textOfBytes } from '../../source/text-of-bytes.ts';
import { companionKey } from '../companion-key.ts';
import { effectsOf, type Effect, type ReplicatedCommand } from './effects.ts';

/** Which keys are sessions: the key's text in, the canonical id out; undefined: none. */
export type RawIdOf = (key: string) => string | undefined;

/** Options of {@link SessionChanges}. */
export interface SessionChangesOptions {
  readonly prefix: string;
  /** Which keys under the prefix are sessions, and their ids; default: all, and what stands behind the prefix. */
  readonly rawIdOf?: RawIdOf;
  /** True: values need not be text, and are told as `textOfBytes` makes them. */
  readonly bytes?: boolean;
  /** The database that the sessions lie in. */
  readonly database: number;
  /** The source's clock, epoch ms. */
  readonly now: () => number;
}

/** Most effects of one transaction that are held; a longer one is told in parts. */
const MOST_HELD = 50_000;

/**
 * Turns the commands of a replication stream into changes of sessions. A transaction (scripts of several commands come as
 * one) is told as a whole at its end, by what it came to for each session: a session that it removes and writes is
 * written. One that writes the companion too is our own.
 */
export class SessionChanges {
  readonly #options: SessionChangesOptions;
  readonly #prefix: Buffer;
  #database: number;
  #transaction: Effect[] | undefined;

  /** `database`: the one that is selected where the reading begins. */
  constructor(options: SessionChangesOptions, database: number) {
    this.#options = options;
    this.#prefix = Buffer.from(options.prefix);
    this.#database = database;
  }

  /** The database that commands go to now. */
  get database(): number {
    return this.#database;
  }

  /** True between two transactions: a reading may go on from here. */
  get settled(): boolean {
    return this.#transaction === undefined;
  }

  /** What `command` tells: changes in order, or that everything is gone. */
  add(command: ReplicatedCommand): readonly SourceChange[] | 'cleared' {
    switch (command.name) {
      case 'SELECT':
        this.#database = Number(command.args[0]?.toString('latin1'));
        return [];
      case 'MULTI':
        this.#transaction = [];
        return [];
      case 'EXEC': {
        const effects = this.#transaction ?? [];
        this.#transaction = undefined;
        return this.#changes(effects);
      }
    }
    if (!this.#concerns(command)) return [];
    const effects = effectsOf(command, this.#options.now());
    if (effects === 'cleared') return effects;
    if (this.#transaction === undefined) return this.#changes(effects);
    this.#transaction.push(...effects);
    return this.#transaction.length > MOST_HELD ? this.#changes(this.#transaction.splice(0)) : [];
  }

  /** Commands that name databases concern ours wherever they are sent. */
  #concerns({ name, args }: ReplicatedCommand): boolean {
    if (this.#database === this.#options.database || name === 'FLUSHALL') return true;
    const ours = String(this.#options.database);
    const names = name === 'SWAPDB' || name === 'MOVE' || name === 'COPY';
    return names && args.some((argument) => argument?.toString('latin1') === ours);
  }

  #changes(effects: readonly Effect[]): SourceChange[] {
    const sessions = new Map<string, Effect>();
    const others = new Set<string>();
    for (const effect of effects) {
      const rawId = this.#rawIdOf(effect.key);
      if (rawId === undefined) {
        if (effects.length > 1) others.add(effect.key.toString('latin1'));
        continue;
      }
      const before = sessions.get(rawId);
      sessions.set(rawId, before === undefined ? effect : following(before, effect));
    }
    return [...sessions].map(([rawId, { key, kind, value, expireTime }]) => ({
      rawId,
      kind,
      ...(value === undefined ? {} : { value: this.#textOf(value) }),
      ...(expireTime === undefined ? {} : { expireTime }),
      own: others.has(Buffer.from(companionKey(key.toString('utf8'))).toString('latin1')),
    }));
  }

  #textOf(value: Buffer): string {
    return this.#options.bytes === true ? textOfBytes(value) : value.toString('utf8');
  }

  #rawIdOf(key: Buffer): string | undefined {
    if (key.length <= this.#prefix.length || !key.subarray(0, this.#prefix.length).equals(this.#prefix)) return undefined;
    const text = key.toString('utf8');
    return this.#options.rawIdOf === undefined ? text.slice(this.#options.prefix.length) : this.#options.rawIdOf(text);
  }
}

/** What two effects on a key in one step come to. */
function following(before: Effect, after: Effect): Effect {
  if (after.kind !== 'expiry') return after;
  if (before.kind === 'removal') return before;
  const { expireTime: _, ...rest } = before;
  return after.expireTime === undefined ? rest : { ...rest, expireTime: after.expireTime };
}
