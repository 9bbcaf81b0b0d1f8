import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

/** The application as a process of its own. */
export interface RunningApp {
  readonly url: string;
  /** Ends it by SIGTERM; resolves to its exit code. */
  stop(): Promise<number | null>;
}

/** Starts `main.ts` on a free port with these variables. */
export async function startApp(env: Readonly<Record<string, string>>): Promise<RunningApp> {
  const child = spawn(process.execPath, ['--conditions=source', fileURLToPath(new URL('../main.ts', import.meta.url))], {
    env: { PATH: process.env['PATH'] ?? '', PORT: '0', SESSION_SECRET: 'a secret for tests', ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = once(child, 'exit') as Promise<[number | null]>;
  const lines = createInterface({ input: child.stdout });
  const url = await Promise.race([
    once(lines, 'line').then(([line]) => /http:\S+?(?=,|$)/.exec(String(line))?.[0]),
    ended.then(() => undefined),
  ]);
  if (url === undefined) throw new Error('the application ended at its start');
  return {
    url,
    stop: async () => {
      child.kill('SIGTERM');
      return (await ended)[0];
    },
  };
}
