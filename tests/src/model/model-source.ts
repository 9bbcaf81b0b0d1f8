import type { SourceStore } from '@wherry/sessions';

/** A source and the store of a legacy application on the same data. */
export interface ModelSource {
  readonly source: SourceStore;
  /** As the legacy application's own store writes it. */
  legacySet(rawId: string, session: object): Promise<void>;
  /** As the legacy application's own store reads it. */
  legacyGet(rawId: string): Promise<object | undefined>;
  close(): Promise<void>;
}
