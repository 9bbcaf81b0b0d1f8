import { WherryError } from '@wherry/core';

/** What clients that still use session credentials are told. */
export interface DeprecationOptions {
  /** Since when they are deprecated, epoch ms (RFC 9745); absent: since 1970, which says no more than that they are. */
  readonly deprecatedAt?: number;
  /** When they will stop to be accepted, epoch ms (RFC 8594); absent: not told. */
  readonly sunsetAt?: number;
  /** Address of the guide for client teams; absent: not told. */
  readonly guideUrl?: string;
}

/** The headers of an answer to a request by session credential, by name. Errors: `config_invalid`. */
export function deprecationHeaders({ deprecatedAt = 0, sunsetAt, guideUrl }: DeprecationOptions): Readonly<Record<string, string>> {
  if (guideUrl !== undefined && (!URL.canParse(guideUrl) || /[<>"\s]/.test(guideUrl)))
    throw new WherryError('config_invalid', 'the address of the guide is no URL');
  return {
    Deprecation: `@${Math.floor(deprecatedAt / 1000)}`,
    ...(sunsetAt === undefined ? {} : { Sunset: new Date(sunsetAt).toUTCString() }),
    ...(guideUrl === undefined ? {} : { Link: `<${guideUrl}>; rel="deprecation"; type="text/html"` }),
  };
}
