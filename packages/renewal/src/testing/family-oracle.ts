import type { Renewal } from '../renewal.ts';
import { IDLE_MS, WINDOW_MS } from './cluster.ts';

const GRACE_MS = 30_000;

/** A credential that was given out. */
interface Issued {
  readonly family: string;
  readonly madeAt: number;
  /** The one that was given for it last, and when one was given first. */
  successor: string | null;
  firstSucceededAt: number;
  /** Presented, and renewed for it. */
  used: boolean;
  /** Given up for another one, as nobody ever presented it. */
  superseded: boolean;
}

interface ModelFamily {
  readonly generation: number;
  readonly absoluteExpiry: number | null;
  idleExpiry: number;
  ended: string | null;
}

/**
 * What families should do, told from the whole history of every credential, which the real ones do not have: an oracle
 * for model runs. It knows the texts that were given out, not how they are made.
 */
export class FamilyOracle {
  readonly #issued: Map<string, Issued>;
  readonly #families: Map<string, ModelFamily>;

  constructor(issued: Map<string, Issued> = new Map(), families: Map<string, ModelFamily> = new Map()) {
    this.#issued = issued;
    this.#families = families;
  }

  /** Everything that was ever given out, oldest first. */
  get credentials(): string[] {
    return [...this.#issued.keys()];
  }

  /** The one that `credential` was given for last. */
  formerOf(credential: string): string | undefined {
    return this.credentials.find((other) => this.#issuedOf(other).successor === credential);
  }

  clone(): FamilyOracle {
    return new FamilyOracle(structuredClone(this.#issued), structuredClone(this.#families));
  }

  begin(credential: string, family: string, now: number, options: { generation: number; absoluteExpiry: number | null }): void {
    this.#families.set(family, { ...options, idleExpiry: now + IDLE_MS, ended: null });
    this.#issue(credential, family, now);
  }

  end(credential: string): void {
    const family = this.#familyOf(credential);
    family.ended ??= 'revoked';
  }

  endAll(reason: string): void {
    for (const family of this.#families.values()) family.ended ??= reason;
  }

  /** Whether `credential` would be renewed. */
  wouldRenew(credential: string, now: number, minimumGeneration: number): boolean {
    return ['new', 'same'].includes(this.#due(credential, now, minimumGeneration));
  }

  /** Takes note of a presentation; false where `renewal` is not what should have come of it. */
  present(credential: string, now: number, minimumGeneration: number, renewal: Renewal): boolean {
    const family = this.#familyOf(credential);
    const issued = this.#issuedOf(credential);
    const due = this.#due(credential, now, minimumGeneration);
    switch (due) {
      case 'same':
        return renewal.outcome === 'renewed' && renewal.repeated && renewal.successor === issued.successor;
      case 'new': {
        if (renewal.outcome !== 'renewed' || renewal.repeated || this.#issued.has(renewal.successor)) return false;
        if (issued.successor === null) issued.firstSucceededAt = now;
        else this.#issuedOf(issued.successor).superseded = true;
        issued.used = true;
        issued.successor = renewal.successor;
        family.idleExpiry = now + IDLE_MS;
        this.#issue(renewal.successor, issued.family, now);
        return true;
      }
      case 'reuse': {
        const first = family.ended === null;
        family.ended ??= 'reused';
        return renewal.outcome === 'reused' && renewal.first === first;
      }
      case 'expired':
      case 'generation_old':
        return renewal.outcome === due;
      default:
        return renewal.outcome === 'ended' && renewal.reason === due;
    }
  }

  #due(credential: string, now: number, minimumGeneration: number): string {
    const family = this.#familyOf(credential);
    if (family.ended !== null) return family.ended === 'reused' ? 'reuse' : family.ended;
    if (now >= family.idleExpiry || (family.absoluteExpiry !== null && now >= family.absoluteExpiry)) return 'expired';
    if (family.generation < minimumGeneration) return 'generation_old';
    const issued = this.#issuedOf(credential);
    if (issued.superseded) return 'reuse';
    if (issued.successor === null) return 'new';
    const successor = this.#issuedOf(issued.successor);
    if (successor.used) return 'reuse';
    if (now <= successor.madeAt + GRACE_MS) return 'same';
    return now <= issued.firstSucceededAt + WINDOW_MS ? 'new' : 'reuse';
  }

  #issue(credential: string, family: string, madeAt: number): void {
    this.#issued.set(credential, { family, madeAt, successor: null, firstSucceededAt: 0, used: false, superseded: false });
  }

  #issuedOf(credential: string): Issued {
    const issued = this.#issued.get(credential);
    if (issued === undefined) throw new Error('the oracle was asked for what was never given out');
    return issued;
  }

  #familyOf(credential: string): ModelFamily {
    const family = this.#families.get(this.#issuedOf(credential).family);
    if (family === undefined) throw new Error('the oracle has no such family');
    return family;
  }
}
