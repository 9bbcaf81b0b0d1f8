import { execFile, spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** True when a program is there and does what it is asked to; else says, for people, what is left out without it. */
export function hasProgram(command: string, words: readonly string[], what: string): boolean {
  if (spawnSync(command, words).status === 0) return true;
  process.stderr.write(`\n*** no ${what}: that it reads its sessions after a migration is LEFT OUT ***\n`);
  return false;
}

/** Gives a program of the fixtures one line of JSON; answers the `session` of its own. */
export function askProgram(command: string, program: string, request: object): Promise<unknown> {
  const path = fileURLToPath(new URL(`../../../packages/sessions/fixtures/${program}`, import.meta.url));
  return new Promise((resolve, reject) => {
    const child = execFile(command, [path], (error, output) =>
      error === null ? resolve((JSON.parse(output) as { session: unknown }).session) : reject(error),
    );
    child.stdin?.end(`${JSON.stringify(request)}\n`);
  });
}
