import type { DeprecationOptions } from '@wherry/rollout';
import type { WherryConfig } from '../config/index.ts';

/** What clients that use session credentials are told, moments in epoch ms. */
export function deprecationOf({ rollout: { deprecatedAt, sunsetAt, guideUrl } }: WherryConfig): DeprecationOptions {
  return {
    ...(deprecatedAt === undefined ? {} : { deprecatedAt: Date.parse(deprecatedAt) }),
    ...(sunsetAt === undefined ? {} : { sunsetAt: Date.parse(sunsetAt) }),
    ...(guideUrl === undefined ? {} : { guideUrl }),
  };
}
