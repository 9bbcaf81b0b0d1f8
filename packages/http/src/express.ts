export type { GatewayPrincipalOptions, JudgedPrincipalOptions, PrincipalJudge } from './admission.ts';
export {
  principalFrom,
  principalFromGateway,
  problemHandler,
  type ErrorMiddleware,
  type Middleware,
  type Next,
} from './node-middleware.ts';
