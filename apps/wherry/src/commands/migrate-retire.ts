import { open, type FileHandle } from 'node:fs/promises';
import { Sealer, WherryError, pause } from '@wherry/core';
import { audit } from '@wherry/core/control';
import { archiveSource, openArchive, retireSource, sourceLetGo, type Archive } from '@wherry/migration';
import type { Command } from 'commander';
import { requireMasterKey, requireSource, requireSourceFormat, type WherryConfig } from '../config/index.ts';
import { openSource } from '../roles/source.ts';
import type { Terminal } from '../terminal.ts';
import { actOf, type ActOptions } from './actor.ts';
import { withControl } from './control-database.ts';
import { loadedConfig } from './loaded-config.ts';

/** Options of `wherry migrate retire`. */
export interface RetireOptions extends ActOptions {
  readonly archive: string;
  /** Seconds. */
  readonly watch: number;
  readonly unobserved?: true;
}

const LET_GO_MS = 60_000;

/**
 * Takes the source out of use, watches that nobody uses it, and archives what is left in it. May be stopped and repeated at
 * any moment: what was done stays done, and an archive is only kept when it is whole.
 */
export async function runRetire(command: Command, terminal: Terminal, options: RetireOptions): Promise<void> {
  const { config } = loadedConfig(command, terminal);
  const address = requireSource(config);
  const sealer = new Sealer(requireMasterKey(config), 'source-archive');
  const stop = new AbortController();
  const interrupt = (): void => stop.abort();
  process.once('SIGINT', interrupt);
  try {
    await withControl(command, terminal, async (control) => {
      const seq = await retireSource(control, actOf(options, terminal));
      await sourceLetGo(control, seq, LET_GO_MS, stop.signal);
      terminal.out('no process of this deployment uses the source any more');
      const watched = await watch(config, options, terminal, stop.signal);
      const archive = await archived(config, options.archive, sealer, terminal, stop.signal);
      const { actor } = actOf(options, terminal);
      await audit(control, { actor, action: 'source.archived', details: { kind: address.kind, ...archive, ...watched } });
      terminal.out(`archived ${archive.sessions} sessions into ${options.archive}, SHA-256 ${archive.sha256}`);
    });
  } finally {
    process.off('SIGINT', interrupt);
  }
}

interface Watched {
  readonly watchedSeconds: number;
  /** undefined: the store does not say. */
  readonly keys?: number;
}

/** Errors: `source_in_use` where somebody else uses it, or nobody can know. */
async function watch(config: WherryConfig, options: RetireOptions, terminal: Terminal, signal: AbortSignal): Promise<Watched> {
  const { watch: watchedSeconds, unobserved } = options;
  // What the server counts in whole seconds may be rounded up to one that is ours.
  const began = performance.now() + 1000;
  terminal.out(`watching for ${watchedSeconds} s whether anybody else uses it`);
  await pause(watchedSeconds * 1000 + 1000, signal);
  const address = requireSource(config);
  if (address.kind === 'redis') {
    const { redisLastUse } = await import('@wherry/sessions/redis');
    const { prefix = requireSourceFormat(config).prefix } = config.source;
    const use = await redisLastUse({ url: address.url, prefix }, performance.now() - began, signal);
    if (use !== undefined) {
      const { looked, used } = use;
      if (used === 0) return { watchedSeconds, keys: looked };
      throw new WherryError('source_in_use', `${used} of ${looked} keys were used meanwhile by somebody who is not of this deployment`);
    }
  }
  if (unobserved === true) return { watchedSeconds };
  throw new WherryError('source_in_use', 'this store does not say when its sessions were used last; --unobserved goes on all the same');
}

/** Errors: `bad_request` where the file is there already; `source_unavailable`. */
async function archived(config: WherryConfig, path: string, sealer: Sealer, terminal: Terminal, signal: AbortSignal): Promise<Archive> {
  const source = await openSource(config);
  let file: FileHandle | undefined;
  try {
    // It is full of bearer secrets: sealed, and nobody else's to read.
    file = await open(path, 'wx+', 0o600).catch((error: unknown) => {
      throw isExisting(error) ? new WherryError('bad_request', `${path} is there already; an archive is never written over`) : error;
    });
    const target = file;
    let told = 0;
    const archive = await archiveSource({
      source,
      sealer,
      signal,
      write: (part) => target.appendFile(part),
      onPage: (sessions) => {
        if (sessions < told + 10_000) return;
        told = sessions;
        terminal.err(`  ${sessions} sessions`);
      },
    });
    await file.sync();
    const { sessions } = await openArchive(linesOf(path), sealer, () => undefined);
    if (sessions !== archive.sessions) throw new WherryError('internal', 'the archive does not hold what was written into it');
    return archive;
  } finally {
    await file?.close();
    await source.close();
  }
}

async function* linesOf(path: string): AsyncGenerator<string> {
  const file = await open(path);
  try {
    yield* file.readLines();
  } finally {
    await file.close();
  }
}

function isExisting(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'EEXIST';
}
