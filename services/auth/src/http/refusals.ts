import { ERROR_CODES, type ErrorCode } from '@wherry/core';

const ALL = Object.keys(ERROR_CODES) as ErrorCode[];

/** Response schemas by status, as routes document them. */
export type Responses = Readonly<Record<string, object>>;

/** Codes of a group, by how they begin. */
export function codesOf(prefix: string): readonly ErrorCode[] {
  return ALL.filter((code) => code.startsWith(prefix));
}

/** What any route may answer, whatever it does. */
export const EVERYWHERE: readonly ErrorCode[] = ['bad_request', ...codesOf('rate_'), 'draining', 'internal'];

/** What a route with a body may answer beside. */
export const OF_BODIES: readonly ErrorCode[] = ['body_too_large', 'media_type_unsupported'];

/** What a route may answer that asks the databases. */
export const OF_STORES: readonly ErrorCode[] = [
  'control_unavailable',
  'shard_unavailable',
  'slot_not_owned',
  'source_unavailable',
  'source_refused',
  'deadline_exceeded',
  'lease_lost',
  'revocations_stale',
];

/** What a route may answer that asks who is calling. */
export const OF_CALLERS: readonly ErrorCode[] = [
  'unauthenticated',
  'credential_kind_refused',
  'credential_unknown',
  'rate_limited',
  ...codesOf('session_').filter((code) => code !== 'session_expired' && code !== 'session_unstorable'),
  ...codesOf('token_'),
];

/** What a route may answer that is the operator's. */
export const OF_OPERATORS: readonly ErrorCode[] = ['unauthenticated', 'client_unauthenticated', 'forbidden'];

/** Refusals as problem documents (RFC 9457), by their status, with the codes that each may carry. */
export function problems(...groups: readonly (readonly ErrorCode[])[]): Responses {
  return byStatus(
    [...EVERYWHERE, ...groups.flat()],
    (code) => ERROR_CODES[code].status,
    (codes) => ({
      'application/problem+json': {
        schema: {
          type: 'object',
          required: ['type', 'status', 'code', 'title', 'detail'],
          properties: {
            type: { type: 'string', pattern: '^urn:wherry:error:' },
            status: { type: 'integer' },
            code: { type: 'string', enum: codes },
            title: { type: 'string' },
            detail: { type: 'string' },
          },
        },
      },
    }),
  );
}

/** Groups codes by the status that they are answered with. */
export function byStatus(
  codes: readonly ErrorCode[],
  statusOf: (code: ErrorCode) => number,
  contentOf: (codes: readonly ErrorCode[]) => object,
): Responses {
  const groups = Map.groupBy(new Set(codes), statusOf);
  return Object.fromEntries(
    [...groups].map(([status, group]) => {
      const sorted = group.toSorted();
      return [status, { description: sorted.join(', '), content: contentOf(sorted) }];
    }),
  );
}
