import type { RevocationKind } from './change.ts';
import type { RevocationView } from './view.ts';

/** What can be left out; `user`: the least generation, and that a user is disabled. */
export type LeftOut = Exclude<RevocationKind, 'issuer' | 'disabled'>;

/**
 * The same view for a judge to whom ends of these kinds do not count, because something else says whether they do. All
 * others do: what is left out is named, so that a kind which is added to views counts everywhere.
 */
export function apartFrom(view: RevocationView, ...kinds: readonly LeftOut[]): RevocationView {
  const counts = (kind: LeftOut): boolean => !kinds.includes(kind);
  const [sessions, sessionTokens, tokens] = [counts('session'), counts('session_tokens'), counts('token')];
  const [families, users] = [counts('family'), counts('user')];
  return {
    isSessionEnded: (sid) => sessions && view.isSessionEnded(sid),
    sessionTokensNotBefore: (sid) => (sessionTokens ? (view.sessionTokensNotBefore?.(sid) ?? 0) : 0),
    isTokenEnded: (jti) => tokens && view.isTokenEnded?.(jti) === true,
    isFamilyEnded: (fam) => families && view.isFamilyEnded?.(fam) === true,
    minimumGeneration: (userId) => (users ? view.minimumGeneration(userId) : 0),
    isUserDisabled: (userId) => users && view.isUserDisabled?.(userId) === true,
    get issuerNotBefore() {
      return view.issuerNotBefore;
    },
    get version() {
      return view.version;
    },
    get staleMs() {
      return view.staleMs;
    },
  };
}
