import type { ServerResponse } from 'node:http';
import { isWherryError } from '@wherry/core';
import {
  Catch,
  SetMetadata,
  createParamDecorator,
  type ArgumentsHost,
  type CanActivate,
  type ExceptionFilter,
  type ExecutionContext,
  type HttpServer,
} from '@nestjs/common';
import { BaseExceptionFilter, Reflector } from '@nestjs/core';
import type { FastifyReply } from 'fastify';
import { replyProblem } from './fastify-problem.ts';
import { currentPrincipal, requireAuthority, requirePrincipal } from './principal-context.ts';
import type { Principal } from './principal.ts';
import { sendProblem } from './problem-response.ts';

export type { GatewayPrincipalOptions, JudgedPrincipalOptions, PrincipalJudge } from './admission.ts';
export { principalFrom, principalFromGateway, type Middleware, type Next } from './node-middleware.ts';

const AUTHORITIES = 'wherry:authorities';

/**
 * Decorator of a controller or one of its methods: only users who have every one of `authorities` come in, those of the
 * class and those of the method together. {@link AuthorityGuard} sees to it.
 */
export function Authorities(...authorities: readonly [string, ...string[]]): ClassDecorator & MethodDecorator {
  return SetMetadata(AUTHORITIES, authorities);
}

/** Options of {@link CurrentPrincipal}. */
export interface CurrentPrincipalOptions {
  /** True: undefined stands for nobody. False (default): nobody gets `unauthenticated` (401). */
  readonly optional?: boolean;
}

const principalParameter = createParamDecorator<CurrentPrincipalOptions | undefined, Principal | undefined>((options) =>
  options?.optional === true ? currentPrincipal() : requirePrincipal(),
);

/** Decorator of a parameter: the {@link Principal} who is calling. */
export function CurrentPrincipal(options: CurrentPrincipalOptions = {}): ParameterDecorator {
  return principalParameter(options);
}

/**
 * Guard: lets in who has the authorities that {@link Authorities} names; errors `unauthenticated` and `forbidden`. Use
 * `app.useGlobalGuards(new AuthorityGuard())`, or as a provider of `APP_GUARD`. It sets no principal: that is
 * `app.use(principalFromGateway(…))`, since a guard ends before the route begins.
 */
export class AuthorityGuard implements CanActivate {
  readonly #reflector = new Reflector();

  canActivate(context: ExecutionContext): boolean {
    const places = [context.getClass(), context.getHandler()];
    const [first, ...others] = this.#reflector.getAll<(string[] | undefined)[]>(AUTHORITIES, places).flatMap((named) => named ?? []);
    if (first !== undefined) requireAuthority(first, ...others);
    return true;
  }
}

/**
 * Filter: answers errors of ours as problem+json on either platform and leaves others to the framework. Use
 * `app.useGlobalFilters(new ProblemFilter(app.getHttpAdapter()))`. When an answer is already on its way the connection is
 * cut, so that the client cannot take a part for the whole.
 */
export class ProblemFilter implements ExceptionFilter {
  readonly #leaveToFramework: ExceptionFilter['catch'];

  constructor(adapter: HttpServer) {
    const filter = new BaseExceptionFilter(adapter);
    this.#leaveToFramework = filter.catch.bind(filter);
  }

  catch(error: unknown, host: ArgumentsHost): void {
    if (host.getType() !== 'http') {
      this.#leaveToFramework(error, host);
      return;
    }
    const answer = host.switchToHttp().getResponse<ServerResponse | FastifyReply>();
    const response = 'raw' in answer ? answer.raw : answer;
    const options = { credentialPresented: currentPrincipal() !== undefined };
    if (response.headersSent) response.destroy();
    else if (!isWherryError(error)) this.#leaveToFramework(error, host);
    else if ('raw' in answer) replyProblem(answer, error, options);
    else sendProblem(answer, error, options);
  }
}
Catch()(ProblemFilter);
