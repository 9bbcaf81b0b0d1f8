import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { serverBinary, serverObtainable } from './debian-package.ts';
import { onFreePort } from './free-port.ts';
import { startGuarded } from './guarded-process.ts';
import { portAnswers } from './port-answers.ts';

/** A running nginx. */
export interface NginxServer {
  readonly port: number;
  readonly url: string;
  /** What it has written to its error log, at most the last 16 KiB. */
  log(): string;
  /** Ends it; its folder is deleted. */
  stop(): Promise<void>;
}

/** Options of {@link startNginx}. */
export interface NginxOptions {
  /** Default: from the PATH, or installed. */
  readonly command?: string;
  /** What stands in the http block; it is to listen on `port` of 127.0.0.1. */
  readonly http: (port: number) => string;
}

/** Where there is no nginx and none can be installed: the line says what to do. */
export class NginxMissing extends Error {
  override readonly name = 'NginxMissing';
}

const NGINX = { command: 'nginx', package: 'nginx-light' };
const TEMPORARY = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'];

/** True where {@link startNginx} can be expected to find or install one. */
export function nginxObtainable(): boolean {
  return serverObtainable(NGINX);
}

/** The path of the program, from the PATH, or installed from Debian's packages where we are root. */
export function nginxBinary(): string {
  const found = serverBinary(NGINX);
  if (found !== undefined) return found;
  throw new NginxMissing('no nginx on the PATH: install nginx 1.18 or newer, e.g. "apt-get install nginx-light"');
}

/** Starts an nginx of its own on loopback with a configuration of its own; nothing of the system's is read. It ends when this process does. */
export async function startNginx({ command = nginxBinary(), http }: NginxOptions): Promise<NginxServer> {
  const folder = mkdtempSync(join(tmpdir(), 'wherry-nginx-'));
  for (const name of TEMPORARY) mkdirSync(join(folder, name));
  const { port, started } = await onFreePort((free) => {
    writeFileSync(join(folder, 'nginx.conf'), configuration(folder, http(free)));
    return startGuarded({
      command,
      args: ['-p', folder, '-c', join(folder, 'nginx.conf'), '-e', 'stderr'],
      isReady: () => portAnswers(free),
      orphanFolder: folder,
    });
  });
  return {
    port,
    url: `http://127.0.0.1:${port}`,
    log: () => started.output(),
    stop: async () => {
      await started.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function configuration(folder: string, http: string): string {
  // As root its workers would be `nobody`, who cannot reach the folder.
  const user = process.getuid?.() === 0 ? 'user root;\n' : '';
  const paths = TEMPORARY.map((name) => `  ${name}_temp_path ${join(folder, name)};\n`).join('');
  return `${user}daemon off;
worker_processes 1;
pid ${join(folder, 'nginx.pid')};
error_log stderr warn;
events { worker_connections 256; }
http {
  access_log off;
${paths}${http}
}
`;
}
