import type { IdentityHeaders } from './identity-headers.ts';

type Fetch = typeof globalThis.fetch;
type Init = RequestInit & { readonly headers: Headers };

/** As many as browsers and the global `fetch` follow. */
const MOST_REDIRECTS = 20;
/** They speak of a body; a redirect that drops the body drops them (Fetch standard, HTTP-redirect fetch). */
const OF_THE_BODY = ['content-encoding', 'content-language', 'content-location', 'content-type', 'content-length'];
/** The credentials of one origin are nobody else's business. */
const OF_THE_ORIGIN = ['authorization', 'proxy-authorization', 'cookie', 'host'];

/**
 * Fetches from `origin` with headers that no other origin may see. The global `fetch` would send headers that it does not
 * know wherever a redirect leads, so redirects are followed here, by the rules of the Fetch standard: within the origin
 * with newly made `secretHeaders`, elsewhere without them and without coming back to them.
 */
export async function fetchWithin(
  origin: string,
  input: string | URL | Request,
  init: Init,
  secretHeaders: () => IdentityHeaders,
  send: Fetch,
): Promise<Response> {
  const given = input instanceof Request ? input : undefined;
  const follow = (init.redirect ?? given?.redirect ?? 'follow') === 'follow';
  const answer = await send(input, { ...init, headers: joined(init.headers, secretHeaders()), ...(follow ? { redirect: 'manual' } : {}) });
  if (!follow) return answer;

  let response = answer;
  let at = new URL(input instanceof Request ? input.url : input);
  let next: Init = {
    ...init,
    method: init.method ?? given?.method ?? 'GET',
    headers: new Headers(init.headers),
    signal: init.signal ?? given?.signal ?? null,
    body: init.body ?? given?.body ?? null,
  };
  for (let redirects = 0; ; redirects++) {
    const location = locationOf(response, at);
    if (location === undefined) return response;
    if (redirects === MOST_REDIRECTS) throw new TypeError('fetch failed: more redirects than are followed');
    await response.body?.cancel();
    next = redirected(response.status, next);
    at = location;
    if (location.origin !== origin) {
      for (const name of OF_THE_ORIGIN) next.headers.delete(name);
      return send(location, { ...next, redirect: 'follow' });
    }
    response = await send(location, { ...next, headers: joined(next.headers, secretHeaders()), redirect: 'manual' });
  }
}

/** Where a redirect leads; undefined: the response is none. */
function locationOf(response: Response, at: URL): URL | undefined {
  const written = response.headers.get('location');
  if (written === null || ![301, 302, 303, 307, 308].includes(response.status)) return undefined;
  const location = URL.parse(written, at.href);
  if (location === null || (location.protocol !== 'http:' && location.protocol !== 'https:')) {
    throw new TypeError('fetch failed: the redirect leads to no address of HTTP');
  }
  return location;
}

/** The request that follows a redirect of `status`. */
function redirected(status: number, init: Init): Init {
  const { method = 'GET', body } = init;
  const becomesGet = status === 303 ? method !== 'GET' && method !== 'HEAD' : status < 303 && method === 'POST';
  if (becomesGet) {
    const headers = new Headers(init.headers);
    for (const name of OF_THE_BODY) headers.delete(name);
    return { ...init, method: 'GET', headers, body: null };
  }
  // A stream was read the first time.
  if (body instanceof ReadableStream || (typeof body === 'object' && body !== null && Symbol.asyncIterator in body)) {
    throw new TypeError('fetch failed: a redirect asks for a body again that cannot be read twice');
  }
  return init;
}

function joined(headers: Headers, added: IdentityHeaders): Headers {
  const all = new Headers(headers);
  for (const [name, value] of Object.entries(added)) all.set(name, value);
  return all;
}
