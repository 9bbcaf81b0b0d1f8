/** Client id and client secret of an Authorization header of scheme Basic. `secret` is one. */
export interface BasicCredentials {
  readonly id: string;
  readonly secret: string;
}

/** Reads the header (RFC 6749 section 2.3.1: id and secret are form-encoded before they are joined); undefined for any other. */
export function readBasicCredentials(header: string): BasicCredentials | undefined {
  const encoded = /^basic +([A-Za-z0-9+/]+={0,2}) *$/i.exec(header)?.[1];
  if (encoded === undefined) return undefined;
  const text = Buffer.from(encoded, 'base64').toString('utf8');
  const colon = text.indexOf(':');
  if (colon < 0) return undefined;
  const id = formDecoded(text.slice(0, colon));
  const secret = formDecoded(text.slice(colon + 1));
  return id === undefined || secret === undefined ? undefined : { id, secret };
}

function formDecoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '));
  } catch {
    return undefined;
  }
}
