import type { ServerResponse } from 'node:http';

/** Headers that go back to the client with the answer to one request, names and values in turn: a renewed credential, for instance. */
export type ResponseHeaders = readonly string[];

export const NO_HEADERS: ResponseHeaders = [];

/** Of these a client may get several; of all others ours is the only one. */
const SEVERAL: ReadonlySet<string> = new Set(['set-cookie', 'www-authenticate', 'link', 'vary']);

/** An answer's headers with ours: added where there may be several of the name, else in the place of what was there. */
export function withResponseHeaders(headers: readonly string[], ours: ResponseHeaders): readonly string[] {
  if (ours.length === 0) return headers;
  const replaced = new Set<string>();
  for (let at = 0; at < ours.length; at += 2) {
    const name = (ours[at] ?? '').toLowerCase();
    if (!SEVERAL.has(name)) replaced.add(name);
  }
  const merged: string[] = [];
  for (let at = 0; at < headers.length; at += 2) {
    const name = headers[at] ?? '';
    if (!replaced.has(name.toLowerCase())) merged.push(name, headers[at + 1] ?? '');
  }
  merged.push(...ours);
  return merged;
}

/** Puts ours on an answer that is about to be written by node:http. */
export function addResponseHeaders(response: ServerResponse, ours: ResponseHeaders): void {
  for (let at = 0; at < ours.length; at += 2) response.appendHeader(ours[at] ?? '', ours[at + 1] ?? '');
}
