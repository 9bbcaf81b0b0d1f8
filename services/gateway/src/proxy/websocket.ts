import { createHash } from 'node:crypto';
import type { IncomingMessage } from 'node:http';

/** RFC 6455 section 1.3: with the client's key it makes a proof that the server has understood the handshake. */
const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';
/** 16 bytes in base64, as a browser writes them. */
const KEY = /^[+/0-9A-Za-z]{21}[AQgw]==$/;

/**
 * Whether a request asks for a WebSocket in the form of RFC 6455 section 4.1. Nothing else is ever upgraded: with h2c or
 * an unknown protocol, requests that nobody has judged would pass through the open connection. What has a body is an
 * ordinary request too, since a server behind could take the body for the first bytes of the new protocol.
 */
export function wishesWebSocket({ method, httpVersion, headers, rawHeaders }: IncomingMessage): boolean {
  if (method !== 'GET' || httpVersion !== '1.1' || headers.host === undefined) return false;
  if (headers.upgrade?.trim().toLowerCase() !== 'websocket') return false;
  if (headers['transfer-encoding'] !== undefined || (headers['content-length'] ?? '0') !== '0') return false;
  return webSocketKey(rawHeaders) !== undefined;
}

/** The one key of a handshake; undefined: none, several, or none that a client makes. */
export function webSocketKey(rawHeaders: readonly string[]): string | undefined {
  const [key, second] = valuesOf(rawHeaders, 'sec-websocket-key');
  return key !== undefined && second === undefined && KEY.test(key) ? key : undefined;
}

/**
 * Whether an answer with status 101 is the end of this handshake (RFC 6455 section 4.1, last part). Only then are bytes
 * passed on unread: a server that answers 101 to what it took for something else would read requests there.
 */
export function acceptsWebSocket(rawHeaders: readonly string[], key: string): boolean {
  const [upgrade, secondUpgrade] = valuesOf(rawHeaders, 'upgrade');
  const [accept, secondAccept] = valuesOf(rawHeaders, 'sec-websocket-accept');
  const wanted = createHash('sha1').update(`${key}${GUID}`).digest('base64');
  return secondUpgrade === undefined && secondAccept === undefined && upgrade?.toLowerCase() === 'websocket' && accept === wanted;
}

function valuesOf(rawHeaders: readonly string[], name: string): string[] {
  const values: string[] = [];
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const written = rawHeaders[at] ?? '';
    if (written.length === name.length && written.toLowerCase() === name) values.push((rawHeaders[at + 1] ?? '').trim());
  }
  return values;
}
