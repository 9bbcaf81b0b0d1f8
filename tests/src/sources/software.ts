/** Whose a session is, as the ledger has it: by whoever wrote it, not by what decodes it. */
export interface Owner {
  /** null: nobody has signed in to it. */
  readonly userId: string | null;
  readonly authorities: readonly string[];
}

/** An application that keeps its sessions in Redis as a software does that we know. */
export interface Application {
  /** Writes a session: the `n`th kind of those that the software itself wrote, in the `round`th state. */
  write(rawId: string, n: number, round: number): Promise<Owner>;
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
  newId(): string;
  /** The header by which a browser names the session. */
  cookie(rawId: string): string;
  open(url: string, prefix: string): Promise<Application>;
}
