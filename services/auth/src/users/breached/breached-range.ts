import type { BreachedHashes } from './check-password.ts';

/** Options of {@link breachedRange}. */
export interface BreachedRangeOptions {
  /** Asked as `url/ABCDE` with the first five digits of the hash, which some 800 passwords share. */
  readonly url: string;
  /** Longest wait for the whole answer, milliseconds; default 1500. */
  readonly timeoutMs?: number;
}

const PREFIX = 5;
const LONGEST_ANSWER = 512 * 1024;

/**
 * A service that answers the rest of all hashes that begin alike (k-anonymity, as the range API of Have I Been Pwned): it
 * learns five digits of a hash and never which password was meant. Padded answers are asked for, so that their length
 * tells an onlooker nothing; a padding line has the count 0.
 */
export function breachedRange({ url, timeoutMs = 1500 }: BreachedRangeOptions): BreachedHashes {
  const base = url.endsWith('/') ? url : `${url}/`;
  return async (sha1) => {
    const answer = await fetch(base + sha1.slice(0, PREFIX), {
      headers: { 'add-padding': 'true', accept: 'text/plain' },
      redirect: 'error',
      signal: AbortSignal.timeout(timeoutMs),
    });
    const text = await textOf(answer);
    if (answer.status !== 200) throw new Error(`the list of breached passwords answered ${answer.status}`);
    const rest = sha1.slice(PREFIX);
    return text.split(/\r?\n/).some((line) => {
      const [suffix = '', count = '1'] = line.split(':');
      return suffix.toUpperCase() === rest && Number(count) > 0;
    });
  };
}

async function textOf(answer: Response): Promise<string> {
  let text = '';
  const decoder = new TextDecoder();
  for await (const chunk of answer.body ?? []) {
    text += decoder.decode(chunk, { stream: true });
    // Leaving the loop ends the connection.
    if (text.length > LONGEST_ANSWER) throw new Error('the answer of the list of breached passwords is too long');
  }
  return text;
}
