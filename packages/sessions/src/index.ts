import type { SchemaPart } from '@wherry/core/control';

export { CarriedSessions } from './carried/carried-sessions.ts';
export type { CarriedContext, CarriedStep } from './carried/context.ts';
export {
  abandonDeadLetters,
  addDeadLetters,
  forgetDeadLettersBefore,
  listDeadLetters,
  removeDeadLetters,
  undecidedDeadLetters,
  type DeadLetter,
  type DeadLetterReason,
  type DeadLetterView,
} from './carried/dead-letters.ts';
export type { EndOutcome } from './carried/end.ts';
export type { CarriedRead, LiveSession } from './carried/read.ts';
export { Repairs, type DueRepair, type RepairCause, type RepairEntry } from './carried/repairs.ts';
export type { SaveOutcome } from './carried/save.ts';
export { SHADOW_TOPIC, setShadowShare, shadowCounts, type ShadowCounts } from './carried/shadow.ts';
export { convertSession, convertSessions, type Conversion, type Converted } from './carried/source-record.ts';
export { SourceOffset } from './carried/source-offset.ts';
export { SourceRefs } from './carried/source-ref.ts';
export type { TouchOutcome } from './carried/touch.ts';
export { readHotSessions, readSessionMemory, reportHotSessions, type HotSession, type SessionMemory } from './hot/hot-session-table.ts';
export { detectLayout } from './legacy/detect.ts';
export { ExpressCookie, type ExpressCookieOptions } from './legacy/express/express-cookie.ts';
export { expressJsonDecoder } from './legacy/express/express-json.ts';
export type { DecoderOptions, SessionFormat } from './legacy/format.ts';
export { SESSION_FORMATS, formatsOf } from './legacy/formats.ts';
export type { IdentityMapping } from './legacy/identity-mapping.ts';
export { MAPPED, mappedFormat } from './legacy/mapped/mapped-format.ts';
export type { SessionMapping } from './legacy/mapped/mapping.ts';
export type { CookieReading, SessionCookie, SessionCookieOptions } from './legacy/session-cookie.ts';
export { nativeTouch } from './native-touch.ts';
export { clientIdOf, ownAttributes, siblingOf } from './own-attributes.ts';
export { carriedSessionKey, compareVersions, sessionIdText, type SessionKey, type SessionRecord, type SessionVersion } from './record.ts';
export type { FeedEvent, FeedPosition, FollowedFeed, SourceChange, SourceChangeFeed, SourceChangeKind } from './source/change-feed.ts';
export { changeBetween, identityOf, type Identity } from './carried/identity.ts';
export { isForgotten } from './carried/read.ts';
export { parseRedisUrl, type RedisAddress } from './redis/redis-url.ts';
export { SessionRuntime, type CarriedOptions, type SessionRuntimeOptions } from './runtime.ts';
export { sourceCompared } from './source/source-history.ts';
export { parseSourceRefKey, sourceRefKeyFingerprint, sourceRefKeyOf, sourceRefKeyText } from './source-ref-key.ts';
export { SOURCE_TOPIC, SourceState, setSourceRetired, sourceRetiredSince } from './source/source-state.ts';
export type {
  SaveIdentity,
  SourceDescription,
  SourcePage,
  SourcePartition,
  SourceSave,
  SourceSession,
  SourceStore,
  SourceTouch,
  SourceWrite,
} from './source/contract.ts';
export type { DecodedSession, SessionDecoder, SessionIdentity, Undecodable } from './source/decoder.ts';
export { classifyCredential } from './token/credential.ts';
export { mintSessionToken, parseSessionToken, type MintedSessionToken } from './token/session-token.ts';

/** The tables of this package in the control database; those on the shards are `sessionsShardSchema` of `@wherry/sessions/sql`. */
export const sessionsControlSchema: SchemaPart = { part: 'sessions', folder: new URL('../sql/control/', import.meta.url) };
