import { spawnSync } from 'node:child_process';
import { chownSync, closeSync, mkdtempSync, openSync, rmSync, statSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openDatabase } from '@wherry/core/control';

const MIB = 1024 * 1024;

/** A file system of its own for the sessions of a shard, which can be filled up. */
export interface SmallDisk extends Disposable {
  readonly folder: string;
  /** Leaves no byte free; `free` gives them back. */
  fill(): void;
  free(): void;
}

/** Mounts a file system of so many MiB that the owner of `neighbour` can write to; undefined where this process may not mount one. */
export function mountSmallDisk(mib: number, neighbour: string): SmallDisk | undefined {
  const folder = mkdtempSync(join(tmpdir(), 'wherry-disk-'));
  const { status } = spawnSync('/bin/mount', ['-t', 'tmpfs', '-o', `size=${mib}m,mode=755`, 'tmpfs', folder]);
  if (status !== 0) {
    rmSync(folder, { recursive: true, force: true });
    return undefined;
  }
  const { uid, gid } = statSync(neighbour);
  chownSync(folder, uid, gid);
  const ballast = join(folder, 'ballast');
  const dispose = (): void => {
    process.off('exit', dispose);
    spawnSync('/bin/umount', ['-l', folder]);
    rmSync(folder, { recursive: true, force: true });
  };
  // What is mounted outlives the process that did it.
  process.once('exit', dispose);
  return {
    folder,
    fill: () => fillUp(ballast),
    free: () => rmSync(ballast, { force: true }),
    [Symbol.dispose]: dispose,
  };
}

/** Moves the sessions of a shard to the folder. */
export async function moveSessions(shardUrl: string, folder: string): Promise<void> {
  const shard = openDatabase({ url: shardUrl, poolSize: 1, statementMs: 60_000 });
  try {
    await shard.query(`CREATE TABLESPACE small LOCATION '${folder}'`);
    await shard.query('ALTER TABLE user_session SET TABLESPACE small');
  } finally {
    await shard.end();
  }
}

/** First in large pieces, then in small ones: a server of databases asks for 8 KiB at a time. */
function fillUp(file: string): void {
  const descriptor = openSync(file, 'w');
  try {
    for (const piece of [Buffer.alloc(MIB), Buffer.alloc(4096)]) while (wasWritten(descriptor, piece));
  } finally {
    closeSync(descriptor);
  }
}

function wasWritten(descriptor: number, piece: Buffer): boolean {
  try {
    return writeSync(descriptor, piece) === piece.length;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOSPC') return false;
    throw error;
  }
}
