import { Sealer, WherryError, pause } from '@wherry/core';
import { leastAcknowledged, type Database } from '@wherry/core/control';
import { KEY_TOPIC, KeyStore, SIGNING_ALGORITHMS, listKeys, type KeyChange, type KeyInfo, type SigningAlgorithm } from '@wherry/tokens';
import { Option, type Command } from 'commander';
import { requireMasterKey, type WherryConfig } from '../config/index.ts';
import type { Terminal } from '../terminal.ts';
import { actOf, withActOptions, type ActOptions } from './actor.ts';
import { withControl } from './control-database.ts';
import { loadedConfig } from './loaded-config.ts';

/** How long a command waits until every live instance acts on what it changed. */
const IN_FORCE_MS = 5000;
const LOOK_EVERY_MS = 100;

/** Adds `wherry keys …`, which talks to the control database directly; issuers and verifiers follow over the feed. */
export function addKeyCommands(program: Command, terminal: Terminal): void {
  const keys = program.command('keys').description('the keys that sign access tokens');
  keys
    .command('list')
    .description('print the keys that sign, will sign or have signed; changes nothing')
    .option('--json', 'print JSON')
    .action((options: { json?: true }, command: Command) =>
      withControl(command, terminal, async (control) => {
        const found = await listKeys(control);
        if (options.json === true) terminal.out(JSON.stringify(found));
        else terminal.out(found.length === 0 ? 'there are none: auth makes the first one when it starts' : found.map(keyText).join('\n'));
      }),
    );
  const act = (name: string, description: string): Command => withActOptions(keys.command(name).description(description));
  act('rotate', 'publish a new shared key; it takes over when every verifier has it and published sets have aged out')
    .addOption(new Option('--alg <alg>', 'what it signs with (default: tokens.algorithm)').choices(SIGNING_ALGORITHMS))
    .action((options: ActOptions & { alg?: SigningAlgorithm }, command: Command) =>
      change(command, terminal, (store, { tokens }) => {
        if (tokens.keyMode === 'process')
          throw new WherryError('conflict', 'with tokens.keyMode "process" every instance makes a key of its own: start it anew instead');
        return store.rotate(options.alg ?? tokens.algorithm, actOf(options, terminal));
      }),
    );
  act('retire', 'let a key sign nothing any more; what it signed stays valid')
    .argument('<kid>', 'as the list prints it')
    .action((kid: string, options: ActOptions, command: Command) =>
      change(command, terminal, (store) => store.retire(kid, actOf(options, terminal))),
    );
  act('remove', 'take a key away at once; refused while tokens signed by it may live')
    .argument('<kid>', 'as the list prints it')
    .option('--force', 'also then: all of these tokens are refused from now on; needs --reason')
    .action(async (kid: string, options: ActOptions & { force?: true }, command: Command) => {
      const { force = false, reason } = options;
      if (force && (reason ?? '').trim() === '') throw new WherryError('bad_request', '--force needs --reason: it stands in the audit log');
      await change(command, terminal, (store) => store.remove(kid, actOf(options, terminal), { unlessInUse: !force }));
    });
}

/** Runs a command, prints the keys as they are then, and whether every live instance acts on it. */
async function change(
  command: Command,
  terminal: Terminal,
  work: (store: KeyStore, config: WherryConfig) => Promise<KeyChange>,
): Promise<void> {
  const { config } = loadedConfig(command, terminal);
  const { accessTokenSeconds: lifeS, skewSeconds } = config.tokens;
  const sealer = new Sealer(requireMasterKey(config), 'signing-key');
  await withControl(command, terminal, async (control) => {
    const store = new KeyStore({ database: control, sealer, lifeS, skewMs: skewSeconds * 1000 });
    const { kid, seq } = await work(store, config);
    const row = (await store.list()).find((key) => key.kid === kid);
    terminal.out(row === undefined ? `${kid}  gone` : keyText(row));
    terminal.out(await inForce(control, seq));
  });
}

async function inForce(control: Database, seq: bigint): Promise<string> {
  for (const until = performance.now() + IN_FORCE_MS; ;) {
    const least = await leastAcknowledged(control, KEY_TOPIC);
    if (least === undefined) return 'no instance follows it';
    if (least >= seq) return 'every live instance acts on it';
    if (performance.now() >= until) return 'not every live instance acts on it yet';
    await pause(LOOK_EVERY_MS);
  }
}

function keyText({ kid, alg, state, ownerInstance, createdAt, activatedAt, signsAfter, keepUntil }: KeyInfo): string {
  const times = [
    `made ${time(createdAt)}`,
    ...(activatedAt === null ? [`signs after ${time(signsAfter)} at the earliest`] : [`signing since ${time(activatedAt)}`]),
    ...(keepUntil === null ? [] : [`kept until ${time(keepUntil)}`]),
  ];
  return [kid, alg, state.padEnd('retiring'.length), ownerInstance === null ? 'shared' : `of ${ownerInstance}`, times.join(', ')].join(
    '  ',
  );
}

function time(milliseconds: number): string {
  return new Date(milliseconds).toISOString();
}
