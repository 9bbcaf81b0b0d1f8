import { describe } from 'vitest';
import type { MakeSource, SourceCapabilities } from './source-fixture.ts';
import { describeLegacyPeer } from './source-legacy.ts';
import { describeRaces } from './source-races.ts';
import { describeReads } from './source-reads.ts';
import { describeScans } from './source-scans.ts';
import { describeWrites } from './source-writes.ts';

/** The obligations of `SourceStore`, checked on a real server. Every driver runs this. */
export function describeSourceConformance(name: string, make: MakeSource, capabilities: SourceCapabilities): void {
  describe(`${name} as a source`, () => {
    describeReads(make, capabilities);
    describeWrites(make);
    describeRaces(make);
    describeScans(make);
    describeLegacyPeer(make, capabilities);
  });
}
