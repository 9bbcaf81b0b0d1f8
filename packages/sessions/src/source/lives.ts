import { WherryError, isWherryError } from '@wherry/core';

/**
 * For a store that may forget what it has acknowledged: when it restarts, or when a replica takes over that had not got
 * everything. Each time its servers begin a new life, of a name of its own.
 */
export interface SourceLives {
  /** The lives of all servers that hold sessions now. Throws `source_unavailable` while not all of them are there, or two claim the same. */
  current(): Promise<readonly string[]>;
  /**
   * From now on only servers of these lives are read and written: every other call throws {@link sourceChanged} and has
   * done nothing. A call that began before is still bound to what was accepted then. Before the first `accept` all are taken.
   */
  accept(lives: readonly string[]): void;
}

/** The fault of a call that met a server of another life; nothing was done. */
export function sourceChanged(message: string): WherryError {
  return new WherryError('source_unavailable', message, { data: { reason: 'changed' } });
}

/** True for the fault of {@link sourceChanged}. */
export function isSourceChanged(error: unknown): boolean {
  return isWherryError(error, 'source_unavailable') && error.data?.['reason'] === 'changed';
}
