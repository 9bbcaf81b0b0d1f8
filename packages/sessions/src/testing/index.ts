export { describeSourceConformance } from './source-conformance.ts';
export type { LegacyPeer, LegacySession, MakeSource, SourceCapabilities, SourceFixture } from './source-fixture.ts';
