import type { BenchResult } from '../report.ts';

export async function benchGateway(_quick: boolean): Promise<BenchResult> {
  throw new Error('not yet');
}
