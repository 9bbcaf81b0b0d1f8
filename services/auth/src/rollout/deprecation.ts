import { WherryError } from '@wherry/core';
import type { RolloutOptions } from './options.ts';

/** The headers of an answer to a request by session credential, by name. Errors: `config_invalid`. */
export function deprecationHeaders({
  deprecatedAt = 0,
  sunsetAt,
  guideUrl,
}: Pick<RolloutOptions, 'deprecatedAt' | 'sunsetAt' | 'guideUrl'>): Readonly<Record<string, string>> {
  if (guideUrl !== undefined && (!URL.canParse(guideUrl) || /[<>"\s]/.test(guideUrl)))
    throw new WherryError('config_invalid', 'the address of the guide is no URL');
  return {
    deprecation: `@${Math.floor(deprecatedAt / 1000)}`,
    ...(sunsetAt === undefined ? {} : { sunset: new Date(sunsetAt).toUTCString() }),
    ...(guideUrl === undefined ? {} : { link: `<${guideUrl}>; rel="deprecation"; type="text/html"` }),
  };
}
