import { spawn } from 'node:child_process';
import { readAnswer, type PrintedAnswer } from './answer.ts';

/** Runs a command in a shell that has `variables`, and answers what it printed. Errors: where the shell or a command in it fails. */
export async function runInShell(command: string, variables: Readonly<Record<string, string>>): Promise<PrintedAnswer> {
  // A variable that nothing has set is a mistake of the page.
  const child = spawn('bash', ['-eu', '-c', command], {
    env: { PATH: process.env['PATH'] ?? '', ...variables },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let [output, errors] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (errors += text));
  const code = await new Promise((resolve) => child.once('close', resolve));
  if (code !== 0) throw new Error(`the shell ended with ${String(code)}: ${errors}`);
  return readAnswer(output);
}

/** Where the page's variables come from: members of answers, or headers. */
const MEMBERS: Readonly<Record<string, string>> = {
  access_token: 'ACCESS_TOKEN',
  accessToken: 'ACCESS_TOKEN',
  refresh_token: 'REFRESH_TOKEN',
  renewalCredential: 'REFRESH_TOKEN',
  sessionToken: 'SESSION_TOKEN',
  session_token: 'SESSION_TOKEN',
};

/** The credentials in an answer, by the names under which the page goes on with them. */
export function credentialsIn({ headers, body }: PrintedAnswer): Record<string, string> {
  const found: Record<string, string> = {};
  if (body.startsWith('{')) {
    for (const [name, value] of Object.entries(JSON.parse(body) as Record<string, unknown>)) {
      const variable = MEMBERS[name];
      if (variable !== undefined && typeof value === 'string') found[variable] = value;
    }
  }
  const renewed = headers.get('x-wherry-access-token')?.[0];
  if (renewed !== undefined) found['ACCESS_TOKEN'] = renewed;
  for (const cookie of headers.get('set-cookie') ?? []) {
    const [, value] = /^__Host-rt=([^;]+)/.exec(cookie) ?? [];
    if (value !== undefined) found['REFRESH_TOKEN'] = value;
  }
  return found;
}
