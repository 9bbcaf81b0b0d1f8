import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { SpringPeer } from './spring-commands.ts';
import type { Values } from './session-values.ts';

/** What Spring says of a session. */
export interface SpringSession {
  readonly found: boolean;
  readonly text?: string | null;
  readonly user?: string | null;
  readonly seconds?: number;
  readonly attributes?: readonly string[];
}

/** Spring itself, in a process of its own. */
export interface SpringProcess extends SpringPeer {
  look(id: string): Promise<SpringSession>;
  signIn(id: string, user: string): Promise<void>;
  /** Ids that the index has for a user. */
  byUser(user: string): Promise<readonly string[]>;
}

/** On the PATH, where nothing else is said. */
const { WHERRY_TEST_MVN: MAVEN = 'mvn', WHERRY_TEST_JAVA: JAVA = 'java' } = process.env;

const program = (path: string): string => fileURLToPath(new URL(`../../../../fixtures/spring/${path}`, import.meta.url));

/** Builds the program of the fixtures into a folder of its own; needs `mvn` and `java`. */
export function buildSpring(): { readonly classPath: string; remove(): void } {
  const folder = mkdtempSync(`${tmpdir()}/spring-sessions-`);
  execFileSync(MAVEN, ['-q', '-B', '-f', program('pom.xml'), `-DbuildDirectory=${folder}`, 'compile', 'dependency:copy-dependencies'], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  return { classPath: `${folder}/classes:${folder}/dependency/*`, remove: () => rmSync(folder, { recursive: true }) };
}

/** Starts Spring on a Redis and a namespace. */
export async function startSpring(
  classPath: string,
  url: string,
  namespace: string,
  indexed: boolean,
  values: Values,
): Promise<SpringProcess> {
  const { port, pathname } = new URL(url);
  const child = spawn(JAVA, ['-cp', classPath, 'example.Main', 'serve', indexed ? 'indexed' : 'plain', values, namespace], {
    env: { ...process.env, REDIS_PORT: port, REDIS_DATABASE: pathname.slice(1) || '0' },
    stdio: ['pipe', 'pipe', 'ignore'],
  });
  const waiting: ((line: string) => void)[] = [];
  createInterface({ input: child.stdout }).on('line', (line) => waiting.shift()?.(line));
  const next = (): Promise<string> => new Promise((resolve) => waiting.push(resolve));
  await next();
  const ask = async (request: object): Promise<Record<string, unknown>> => {
    const answered = next();
    child.stdin.write(`${JSON.stringify(request)}\n`);
    const answer = JSON.parse(await answered) as Record<string, unknown>;
    if (answer['error'] !== undefined) throw new Error(JSON.stringify(answer['error']));
    return answer;
  };
  const look = async (id: string): Promise<SpringSession> => (await ask({ op: 'get', id })) as unknown as SpringSession;
  return {
    look,
    set: async (id, text, seconds) => void (await ask({ op: 'set', id, text, seconds })),
    signIn: async (id, user) => void (await ask({ op: 'set', id, text: '', user })),
    async get(id) {
      const { found, text } = await look(id);
      return found ? { text: text ?? '' } : undefined;
    },
    touch: async (id, seconds) => void (await ask({ op: 'touch', id, seconds })),
    destroy: async (id) => void (await ask({ op: 'destroy', id })),
    byUser: async (user) => (await ask({ op: 'byUser', id: '', user }))['ids'] as readonly string[],
    async close() {
      child.stdin.end();
      if (child.exitCode === null) await once(child, 'exit');
    },
  };
}
