import { Option, type Command } from 'commander';
import type { DemoOptions } from '../demo/options.ts';
import { SHARD_KINDS } from '../demo/shard-kind.ts';
import type { Terminal } from '../terminal.ts';
import { parseWhole } from './numbers.ts';

/** Adds `wherry demo`: the whole way on this machine, on servers of its own. It runs from a checkout of the repository. */
export function addDemoCommand(program: Command, terminal: Terminal): void {
  program
    .command('demo')
    .description('carry sessions across, back and across again under load, on servers of its own')
    .option('--source <url>', 'a Redis to carry from, e.g. redis://127.0.0.1:6379 (default: a DynamoDB-compatible store from npm)')
    .addOption(new Option('--shards <kind>', 'what the two shards run on').choices(SHARD_KINDS).default('postgres'))
    .option('--sessions <number>', 'users signed in beforehand', parseWhole, 20_000)
    .option('--users <number>', 'virtual users who keep working', parseWhole, 300)
    .option('--seed <number>', "decides the users' choices, not their timing", parseWhole, 1)
    .option('--exit', 'stop everything at the end', false)
    .action(async (options: DemoOptions) => (await import('../demo/run-demo.ts')).runDemo(options, terminal));
}
