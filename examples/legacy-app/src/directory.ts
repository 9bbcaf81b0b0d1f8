/** A user as this application knows him, and as it keeps him in the session. */
export interface User {
  readonly id: number;
  readonly name: string;
  readonly roles: readonly string[];
  readonly permissions: readonly string[];
}

const PERMISSIONS = [
  'cart:read',
  'cart:write',
  'orders:read',
  'orders:write',
  'reviews:write',
  'stock:read',
  'prices:edit',
  'region:österreich',
];

/** User number `n`, called `user<n>`. Roles and permissions follow from the number, so that they differ between users and never in time. */
export function userNumber(n: number): User {
  const roles = ['member', ...(n % 7 === 0 ? ['editor'] : []), ...(n % 31 === 0 ? ['admin'] : [])];
  const bits = (Math.imul(n, 2_654_435_761) >>> 24) & 0xff;
  return { id: 10_000 + n, name: `user${n}`, roles, permissions: PERMISSIONS.filter((_, index) => ((bits >> index) & 1) === 1) };
}

/** The user with this name and password, or undefined. The password of `user7` is `pw-user7`. */
export function authenticate(name: unknown, password: unknown): User | undefined {
  const digits = typeof name === 'string' ? /^user(0|[1-9]\d{0,8})$/.exec(name)?.[1] : undefined;
  return digits !== undefined && password === `pw-user${digits}` ? userNumber(Number(digits)) : undefined;
}
