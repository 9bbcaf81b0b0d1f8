import type { SessionKey } from '@wherry/sessions';

/** What one session means to a reader, as an export has it. Times in epoch milliseconds by the target's clock. */
export type ExportedSession =
  | {
      readonly state: 'live';
      readonly user: string | null;
      readonly name: string | null;
      readonly authorities: readonly string[];
      /** null: never. */
      readonly expires: number | null;
    }
  | { readonly state: 'ended' | 'undecodable' };

/** The first line of an export. */
export function headerLine(side: 'source' | 'target', began: number): string {
  return JSON.stringify({ format: 'wherry-sessions', version: 1, side, began });
}

/** A session's line. Its id is the digest of the canonical id: nobody signs in by it. */
export function sessionLine({ digest }: SessionKey, at: number, session: ExportedSession): string {
  return JSON.stringify({ id: digest.toString('hex'), at, ...session });
}

/** The last line: without it an export was cut off. */
export function footerLine(sessions: number, finished: number): string {
  return JSON.stringify({ sessions, finished });
}
