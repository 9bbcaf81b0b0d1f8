/** Who an answer says the user is. */
export interface StatedIdentity {
  readonly userId?: string;
  readonly authorities?: readonly string[];
}

/** The identity in an answer: `{userId, authorities}`, or `{user: {id, roles, permissions}}` whose authorities are roles and permissions together. */
export function statedIdentity(body: unknown): StatedIdentity {
  if (!isObject(body)) return {};
  const user = body['user'];
  if (isObject(user)) return { ...idOf(user['id']), authorities: [...new Set([...texts(user['roles']), ...texts(user['permissions'])])] };
  return { ...idOf(body['userId']), ...(Array.isArray(body['authorities']) ? { authorities: texts(body['authorities']) } : {}) };
}

/** True for a JSON object. */
export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function idOf(value: unknown): StatedIdentity {
  return typeof value === 'string' || typeof value === 'number' ? { userId: String(value) } : {};
}

function texts(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((entry) => typeof entry === 'string') : [];
}
