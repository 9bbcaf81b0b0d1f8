import { analyseSource, proposeSchema, reportText } from '@wherry/migration';
import type { Command } from 'commander';
import type { Terminal } from '../terminal.ts';
import { loadedConfig } from './loaded-config.ts';
import { writePlan } from './plan-files.ts';
import type { PlanOptions } from './plan.ts';
import { openPlannedSource } from './plan-source.ts';

/** Samples the source, writes what is proposed and prints the report. Needs neither control database nor shards. */
export async function runPlan(command: Command, terminal: Terminal, options: PlanOptions): Promise<void> {
  const found = await openPlannedSource((environment) => loadedConfig(command, { ...terminal, environment }).config, terminal, options);
  try {
    const analysis = await analyseSource(found.source, { format: found.format, sessions: options.sample, rate: found.rate });
    const proposal = proposeSchema(analysis);
    const files = await writePlan(options.out, analysis, proposal);
    if (options.json === true) terminal.out(JSON.stringify({ analysis, proposal, files }));
    else terminal.out(`${reportText(analysis, proposal)}\n\nwritten: ${files.join(', ')}`);
  } finally {
    await found.source.close();
  }
}
