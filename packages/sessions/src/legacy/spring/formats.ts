import type { SessionFormat } from '../format.ts';
import { SpringCookie } from './spring-cookie.ts';
import { springDecoder } from './spring-decoder.ts';

const spring = {
  stores: ['redis'],
  prefix: 'spring:session:sessions:',
  cookieName: 'SESSION',
  identity: {
    userId: 'SPRING_SECURITY_CONTEXT.authentication.name',
    username: 'SPRING_SECURITY_CONTEXT.authentication.name',
    authorities: ['SPRING_SECURITY_CONTEXT.authentication.authorities[].authority'],
  },
  signedCookie: false,
  decoder: springDecoder,
  cookie: (options) => new SpringCookie(options),
} satisfies Partial<SessionFormat>;

/** Spring Session 2 and 3 with `RedisIndexedSessionRepository`: sessions are found by their users, and their ends are told. */
export const springRedisIndexed: SessionFormat = { ...spring, name: 'spring-redis-indexed' };

/** Spring Session 2 and 3 with `RedisSessionRepository`: one hash for each session. */
export const springRedis: SessionFormat = { ...spring, name: 'spring-redis' };
