/** Whose a session is, as the ledger has it: by whoever wrote it, not by what decodes it. */
export interface Owner {
  /** null: nobody has signed in to it. */
  readonly userId: string | null;
  readonly authorities: readonly string[];
}

/** What nobody's session should be: 1 MiB, 10,000 attributes, cut off in the middle, one that holds itself (or nests deeply where nothing can). */
export const HOSTILE = ['large', 'many', 'cut', 'endless'] as const;
export type Hostile = (typeof HOSTILE)[number];

/** An application that keeps its sessions in Redis as a software does that we know. */
export interface Application {
  /** Writes a session: the `n`th kind of those that the software itself wrote, in the `round`th state. */
  write(rawId: string, n: number, round: number): Promise<Owner>;
  /** Writes a session of nobody's that is made to do harm. */
  plant(rawId: string, kind: Hostile): Promise<void>;
  /** What it would find under an id: equal texts for equal sessions; undefined: none. */
  look(rawId: string): Promise<string | undefined>;
  /** What lies there is gone, without a trace of ours. */
  forget(rawId: string): Promise<void>;
  close(): Promise<void>;
}

/** A software that keeps sessions. */
export interface Software {
  /** Of the test. */
  readonly name: string;
  /** `source.format`. */
  readonly format: string;
  /** What a plan finds it to be; absent: the format. */
  readonly planned?: string;
  /** What stands before ids in its keys, for an application of this name. */
  prefix(own: string): string;
  /** What else has to be configured. */
  readonly settings?: Readonly<Record<string, string>>;
  readonly lifeMs: number;
  /** Why it is not carried; absent: it is. */
  readonly refused: Readonly<Partial<Record<Hostile, string>>>;
  newId(): string;
  /** The header by which a browser names the session. */
  cookie(rawId: string): string;
  open(url: string, prefix: string): Promise<Application>;
  /** What the software itself says of a session; absent where it is not at hand, or no program of it is. */
  itself?(url: string, prefix: string, rawId: string): Promise<unknown>;
}
