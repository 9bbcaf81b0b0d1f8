/** A request as far as a check looks at it, in the form of node:http. */
export interface PlainRequest {
  readonly url: string;
  /** Names and values in turn, as they came. */
  readonly rawHeaders: readonly string[];
}

/** Longest request that is read here, bytes; node:http refuses longer ones. */
const MAX_BYTES = 16_384;
/** Most header lines; node:http refuses more than about twice as many. */
const MAX_LINES = 500;

/** RFC 9112: request line of a GET in origin form, header lines without folding, and the end. No line can be read in two ways. */
const GRAMMAR = /^GET \/[!-~]* HTTP\/1\.1\r\n(?:[\w!#$%&'*+.^`|~-]+:[\t -~]*\r\n)+\r\n$/;

/** What decides about the connection or a body, by the length of the name; the value that changes nothing, where there is one. */
const DECIDING = new Map<string, string | undefined>([
  ['connection', 'keep-alive'],
  ['content-length', '0'],
  ['expect', undefined],
  ['http2-settings', undefined],
  ['keep-alive', undefined],
  ['proxy-connection', undefined],
  ['te', undefined],
  ['trailer', undefined],
  ['transfer-encoding', undefined],
  ['upgrade', undefined],
]);
const DECIDING_LENGTHS: readonly boolean[] = Array.from({ length: 32 }, (_, length) =>
  [...DECIDING.keys()].some((name) => name.length === length),
);

/**
 * Reads bytes that are exactly one request of the plainest kind: a GET without a body on a connection that stays, with
 * one Host. undefined for everything else, good or bad: node:http has to look at those bytes. What is answered here is
 * what node:http would have read of the same bytes, so that whoever passes a connection on never disagrees with it.
 */
export function readPlainRequest(bytes: Buffer): PlainRequest | undefined {
  if (bytes.length > MAX_BYTES) return undefined;
  const text = bytes.toString('latin1');
  if (!GRAMMAR.test(text)) return undefined;
  const first = text.indexOf('\r\n');
  const rawHeaders: string[] = [];
  let hosts = 0;
  let lengths = 0;
  for (let start = first + 2, end = text.indexOf('\r\n', start); end > start; start = end + 2, end = text.indexOf('\r\n', start)) {
    const colon = text.indexOf(':', start);
    const name = text.slice(start, colon);
    const value = trimmed(text, colon + 1, end);
    const { length } = name;
    if (rawHeaders.length === 2 * MAX_LINES) return undefined;
    if (length === 4 && name.toLowerCase() === 'host') hosts++;
    // The length said twice is refused there, though it says the same.
    else if (length === 14 && name.toLowerCase() === 'content-length' && lengths++ > 0) return undefined;
    else if (DECIDING_LENGTHS[length] === true && decides(name, value)) return undefined;
    rawHeaders.push(name, value);
  }
  return hosts === 1 ? { url: text.slice(4, first - 9), rawHeaders } : undefined;
}

function decides(name: string, value: string): boolean {
  const key = name.toLowerCase();
  return DECIDING.has(key) && DECIDING.get(key) !== value.toLowerCase();
}

/** The part between two places, without the optional white space around it (RFC 9110 section 5.5). */
function trimmed(text: string, start: number, end: number): string {
  let [from, to] = [start, end];
  while (from < to && text.charCodeAt(from) <= 0x20) from++;
  while (to > from && text.charCodeAt(to - 1) <= 0x20) to--;
  return text.slice(from, to);
}
