import { describe } from 'vitest';
import { describeErrors } from './error-cases.ts';
import { describeIdentity } from './identity-cases.ts';
import { describeIsolation } from './isolation-cases.ts';
import type { Serve } from './middleware-fixture.ts';

/** What every framework's middlewares have to do, asked over real HTTP. */
export function describeMiddlewareConformance(framework: string, serve: Serve): void {
  describe(`${framework}: the contract of the middlewares`, () => {
    describeIdentity(serve);
    describeErrors(serve);
    describeIsolation(serve);
  });
}
