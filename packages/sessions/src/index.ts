export { carriedSessionKey, compareVersions, sameDigest, sessionIdText, type SessionKey, type SessionRecord, type SessionVersion } from './record.ts';
export type { SourceDescription, SourcePage, SourcePartition, SourceSession, SourceStore, SourceTouch, SourceWrite } from './source/contract.ts';
export type { DecodedSession, SessionDecoder, SessionIdentity, Undecodable } from './source/decoder.ts';
