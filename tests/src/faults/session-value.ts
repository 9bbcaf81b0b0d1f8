/** Life of the tests' sessions, ms. */
export const LIFE_MS = 600_000;

/** A session of user `n` as an Express application stores it, with a value that tells its versions apart. */
export function sessionValue(n: number, value: number): string {
  return JSON.stringify({
    cookie: { originalMaxAge: LIFE_MS, httpOnly: true, path: '/' },
    user: { id: n, name: `user${n}`, roles: [`role${n % 3}`] },
    value,
  });
}
