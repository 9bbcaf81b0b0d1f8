import { execFileSync, spawnSync } from 'node:child_process';
import { tmpdir } from 'node:os';

/** Whom a server runs as. */
export interface User {
  readonly uid: number;
  readonly gid: number;
}

/**
 * PostgreSQL refuses to run as root: as root, `name`, or else its own user where there is one, or else `nobody`.
 * Otherwise ourselves (undefined).
 */
export function unprivilegedUser(name?: string): User | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const names = name === undefined ? ['postgres', 'nobody'] : [name];
  for (const candidate of names) {
    const [uid, gid] = ['-u', '-g'].map((flag) => {
      try {
        return Number(execFileSync('id', [flag, candidate], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }));
      } catch {
        return Number.NaN;
      }
    });
    if (uid !== undefined && gid !== undefined && !Number.isNaN(uid) && !Number.isNaN(gid)) return { uid, gid };
  }
  throw new Error(`this runs as root, and there is no user ${names.map((each) => `"${each}"`).join(' and no user ')} to run PostgreSQL as`);
}

/** True when `user` can reach and read `path`, which a home with mode 0700 above it prevents. */
export function canReach(path: string, user: User | undefined): boolean {
  return user === undefined || spawnSync('test', ['-r', path], { cwd: '/', ...user }).status === 0;
}

/** The folder for temporary files, or the system's own where TMPDIR is closed to `user`. */
export function reachableTmp(user: User | undefined): string {
  return canReach(tmpdir(), user) ? tmpdir() : '/tmp';
}
