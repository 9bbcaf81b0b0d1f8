import { WherryError } from '@wherry/core';

/**
 * Where clients reach the service, without a slash at the end: what is set, else the issuer where that is a URL of the
 * web. The Host header of a request has no say: whoever sends it would decide where others take their secrets. Errors: `config_invalid`.
 */
export function publicUrlOf({ issuer, publicUrl }: { readonly issuer: string; readonly publicUrl?: string }): string | undefined {
  if (publicUrl !== undefined && !isWebUrl(publicUrl))
    throw new WherryError('config_invalid', 'publicUrl is not an http or https URL without credentials, query and fragment');
  return (publicUrl ?? (isWebUrl(issuer) ? issuer : undefined))?.replace(/\/+$/, '');
}

function isWebUrl(text: string): boolean {
  const url = URL.parse(text);
  return url !== null && /^https?:$/.test(url.protocol) && url.username === '' && url.password === '' && !/[?#\s]/.test(text);
}
