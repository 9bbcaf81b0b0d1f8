/** Headers of one connection, not of the message (RFC 9110 section 7.6.1). `trailer` too: trailers are not passed on. */
const HOP_BY_HOP: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

/** True for a header, in lower case, that ends at this hop. */
export function isHopByHop(name: string): boolean {
  return HOP_BY_HOP.has(name);
}

/** Further headers that a Connection header declares to end at this hop, in lower case; undefined: none. */
export function connectionOptions(rawHeaders: readonly string[]): ReadonlySet<string> | undefined {
  let options: Set<string> | undefined;
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = rawHeaders[at] ?? '';
    if (name.length !== 10 || name.toLowerCase() !== 'connection') continue;
    for (const option of (rawHeaders[at + 1] ?? '').split(',')) {
      const token = option.trim().toLowerCase();
      if (token !== 'keep-alive' && token !== 'close' && token !== '') (options ??= new Set()).add(token);
    }
  }
  return options;
}

/** The headers of an answer that go on to the client, names and values in turn. */
export function answerHeaders(raw: readonly string[]): string[] {
  const named = connectionOptions(raw);
  const headers: string[] = [];
  for (let at = 0; at < raw.length; at += 2) {
    const name = raw[at] ?? '';
    const lower = name.toLowerCase();
    if (isHopByHop(lower) || named?.has(lower) === true) continue;
    headers.push(name, raw[at + 1] ?? '');
  }
  return headers;
}
