import { expect } from 'vitest';

/** An answer over HTTP, as `curl -i` prints it; without `-i` the body alone. */
export interface PrintedAnswer {
  readonly status: number | undefined;
  /** Names in lower case; of several values of a name all. */
  readonly headers: ReadonlyMap<string, readonly string[]>;
  readonly body: string;
}

/** Reads what was printed, or what a page says is printed. */
export function readAnswer(text: string): PrintedAnswer {
  const lines = text.replaceAll('\r\n', '\n');
  const [, status] = /^HTTP\/1\.1 (\d{3})/.exec(lines) ?? [];
  if (status === undefined) return { status: undefined, headers: new Map(), body: lines.trim() };
  const end = lines.indexOf('\n\n');
  const [head, body] = end < 0 ? [lines, ''] : [lines.slice(0, end), lines.slice(end + 2)];
  const headers = new Map<string, string[]>();
  for (const line of head.trim().split('\n').slice(1)) {
    const colon = line.indexOf(':');
    const name = line.slice(0, colon).toLowerCase();
    headers.set(name, [...(headers.get(name) ?? []), line.slice(colon + 1).trim()]);
  }
  return { status: Number(status), headers, body: body.trim() };
}

/** Expects what a page says: `…` stands for any text; an object has these members and no others; headers may be more. */
export function expectAnswer(got: PrintedAnswer, said: PrintedAnswer): void {
  expect(got.status).toBe(said.status);
  for (const [name, values] of said.headers) {
    const found = got.headers.get(name) ?? [];
    for (const value of values) expect({ [name]: found }).toEqual({ [name]: expect.arrayContaining([matching(value)]) });
  }
  if (said.body === '') return;
  if (said.body.startsWith('{')) expect(JSON.parse(got.body)).toEqual(matching(JSON.parse(said.body)));
  else expect(got.body).toEqual(matching(said.body));
}

/** What a value in a page is expected to be. Numbers differ from run to run. */
function matching(said: unknown): unknown {
  if (typeof said === 'string') {
    if (!said.includes('…')) return said;
    const pieces = said.split('…').map((piece) => piece.replaceAll(/[\\^$.*+?()[\]{}|]/g, '\\$&'));
    return expect.stringMatching(new RegExp(`^${pieces.join('[^]+')}$`));
  }
  if (typeof said === 'number') return expect.any(Number);
  if (Array.isArray(said)) return said.map(matching);
  if (typeof said === 'object' && said !== null)
    return Object.fromEntries(Object.entries(said).map(([name, value]) => [name, matching(value)]));
  return said;
}
