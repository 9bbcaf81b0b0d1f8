import { execFileSync, spawnSync } from 'node:child_process';

/** Whom a server runs as. */
export interface User {
  readonly uid: number;
  readonly gid: number;
}

/** PostgreSQL refuses to run as root: as root, its own user where there is one, else `nobody`; otherwise ourselves (undefined). */
export function unprivilegedUser(): User | undefined {
  if (process.getuid?.() !== 0) return undefined;
  for (const name of ['postgres', 'nobody']) {
    const [uid, gid] = ['-u', '-g'].map((flag) => {
      try {
        return Number(execFileSync('id', [flag, name], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }));
      } catch {
        return Number.NaN;
      }
    });
    if (uid !== undefined && gid !== undefined && !Number.isNaN(uid) && !Number.isNaN(gid)) return { uid, gid };
  }
  throw new Error('this runs as root, and there is neither a user "postgres" nor a user "nobody" to run PostgreSQL as');
}

/** True when `user` can reach and search `path`, which a home with mode 0700 above it prevents. */
export function canReach(path: string, user: User | undefined): boolean {
  return spawnSync('test', ['-r', path], { cwd: '/', ...user }).status === 0;
}
