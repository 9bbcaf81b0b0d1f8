import { spawnSync } from 'node:child_process';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A server that a package of Debian brings. */
export interface DebianServer {
  /** The command to look for. */
  readonly command: string;
  /** The package's name. */
  readonly package: string;
}

// System folders too: ordinary users often do not have them on their PATH.
const onPath = (command: string): string =>
  spawnSync('sh', ['-c', `PATH="$PATH:/usr/sbin:/usr/local/sbin"; command -v ${command}`], { encoding: 'utf8' }).stdout.trim();

const installable = (): boolean => process.getuid?.() === 0 && onPath('apt-get') !== '';

/** True where {@link serverBinary} can be expected to find or install one. */
export function serverObtainable({ command }: DebianServer): boolean {
  return onPath(command) !== '' || installable();
}

/** The path of the server's command, installed where we are root and it is not there; undefined: there is none. */
export function serverBinary(server: DebianServer): string | undefined {
  const found = onPath(server.command);
  if (found !== '') return found;
  if (!installable()) return undefined;
  install(server);
  return onPath(server.command) || undefined;
}

/** One installation at a time on this machine: apt-get fails where another one is under way, and several test runs may start together. */
function install({ command, package: name }: DebianServer): void {
  process.stderr.write(`installing ${name} from the packages of this system (once)\n`);
  // The package would start a server of its own; RUNLEVEL keeps it from doing so.
  const script = `command -v ${command} >/dev/null || {
    apt-get update -qq
    RUNLEVEL=1 apt-get install -y -qq --no-install-recommends -o DPkg::Lock::Timeout=120 ${name} >/dev/null
  }`;
  const one = onPath('flock') === '' ? ['sh', '-c', script] : ['flock', join(tmpdir(), 'wherry-apt.lock'), 'sh', '-c', script];
  const [program = 'sh', ...args] = one;
  spawnSync(program, args, { env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }, stdio: ['ignore', 'ignore', 'inherit'] });
}
