import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

/** The legacy application as a process of its own: nothing of it is imported here. */
export interface LegacyProcess {
  readonly url: string;
  stop(): Promise<void>;
}

/** Starts the real application on a free port. */
export async function startLegacy(env: Readonly<Record<string, string>>): Promise<LegacyProcess> {
  const script = fileURLToPath(new URL('../../../legacy-app/src/main.ts', import.meta.url));
  const child = spawn(process.execPath, ['--conditions=source', script], {
    env: { PATH: process.env['PATH'] ?? '', PORT: '0', SESSION_SECRET: 'a secret for tests', LEGACY_TRUST_GATEWAY: '1', ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = once(child, 'exit');
  const first = once(createInterface({ input: child.stdout }), 'line').then(([line]) => /http:\S+?(?=,|$)/.exec(String(line))?.[0]);
  const url = await Promise.race([first, ended.then(() => undefined)]);
  if (url === undefined) throw new Error('the application ended at its start');
  return {
    url,
    stop: async () => {
      child.kill('SIGTERM');
      await ended;
    },
  };
}
