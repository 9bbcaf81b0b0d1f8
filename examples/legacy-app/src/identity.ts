import type { Request } from 'express';
import type { User } from './directory.ts';

/** Who sends a request, in one form for both worlds: the session's user, or the user whom the gateway names. */
export interface Identity {
  readonly userId: string;
  /** Roles and permissions as one set. */
  readonly authorities: readonly string[];
  readonly kind: 'session' | 'jwt';
}

/** The identity of a user in a session. */
export function identityOf(user: User): Identity {
  return { userId: String(user.id), authorities: [...new Set([...user.roles, ...user.permissions])], kind: 'session' };
}

/** The identity in the gateway's headers, or undefined. Only to be asked for behind a gateway that strips these headers from outside. */
export function identityFromGateway(request: Request): Identity | undefined {
  const userId = request.get('x-wherry-user-id');
  if (userId === undefined || userId === '') return undefined;
  const authorities = (request.get('x-wherry-authorities') ?? '').split(/[\s,]+/).filter((value) => value !== '');
  return {
    userId: decodeURIComponent(userId),
    authorities: authorities.map(decodeURIComponent),
    kind: request.get('x-wherry-kind') === 'jwt' ? 'jwt' : 'session',
  };
}
