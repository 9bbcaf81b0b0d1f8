import { Sealer, WherryError, pause } from '@wherry/core';
import { leastAcknowledged, type Database } from '@wherry/core/control';
import {
  KEY_TOPIC,
  KeyStore,
  RENEWAL_LIVES,
  SIGNING_ALGORITHMS,
  listKeys,
  type KeyChange,
  type KeyInfo,
  type SigningAlgorithm,
} from '@wherry/tokens';
import { InvalidArgumentError, Option, type Command } from 'commander';
import { requireMasterKey, type WherryConfig } from '../config/index.ts';
import type { Terminal } from '../terminal.ts';
import { actOf, withActOptions, type ActOptions } from './actor.ts';
import { withControl } from './control-database.ts';
import { readKeyFile, type KeyFileOptions } from './key-file.ts';
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
        requireSharedKeys(tokens.keyMode);
        return store.rotate(options.alg ?? tokens.algorithm, actOf(options, terminal), tokens.rsaBits);
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
  act('import', 'take in a key that was made elsewhere: with its private part it signs next, without it only verifies')
    .argument('<file>', 'PEM (PKCS #8 or a public key) or a JWK')
    .option('--kid <id>', 'its name from now on (default: the one in the JWK, else its thumbprint)')
    .option('--verify-only', 'leave its private part behind')
    .option('--until <time>', 'of a key that only verifies: until when, ISO 8601 (default: as long as a token lives)', momentOf)
    .action((file: string, options: ActOptions & KeyFileOptions & { until?: number }, command: Command) =>
      change(command, terminal, async (store, { tokens }) => {
        const { key, warning } = await readKeyFile(file, options);
        if (warning !== undefined) terminal.err(warning);
        if (key.privateKey !== undefined) {
          requireSharedKeys(tokens.keyMode);
          if (options.until !== undefined) throw new WherryError('bad_request', '--until is for a key that only verifies');
        }
        return store.import(key, actOf(options, terminal), options.until);
      }),
    );
}

function requireSharedKeys(mode: WherryConfig['tokens']['keyMode']): void {
  if (mode === 'process')
    throw new WherryError('conflict', 'with tokens.keyMode "process" every instance makes a key of its own: start it anew instead');
}

function momentOf(text: string): number {
  const moment = Date.parse(text);
  if (!/^\d{4}-\d\d-\d\d(T|$)/.test(text) || Number.isNaN(moment))
    throw new InvalidArgumentError('It is no time like 2027-01-31T12:00:00Z.');
  return moment;
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
    const store = new KeyStore({
      database: control,
      sealer,
      lifeS,
      skewMs: skewSeconds * 1000,
      renewalGraceMs: RENEWAL_LIVES * lifeS * 1000,
    });
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

function keyText(key: KeyInfo): string {
  const { kid, alg, state, ownerInstance, origin, createdAt, activatedAt, signsAfter, keepUntil, issued, lastUsedAt } = key;
  const verifiesOnly = state === 'retiring' && activatedAt === null;
  const times = [
    `${origin} ${time(createdAt)}`,
    ...(verifiesOnly
      ? ['verifies only']
      : [activatedAt === null ? `signs after ${time(signsAfter)} at the earliest` : `signing since ${time(activatedAt)}`]),
    ...(keepUntil === null ? [] : [`kept until ${time(keepUntil)}`]),
    ...(lastUsedAt === null ? [] : [`${issued} tokens, the last ${time(lastUsedAt)}`]),
  ];
  return [kid, alg, state.padEnd('retiring'.length), ownerInstance === null ? 'shared' : `of ${ownerInstance}`, times.join(', ')].join(
    '  ',
  );
}

function time(milliseconds: number): string {
  return new Date(milliseconds).toISOString();
}
