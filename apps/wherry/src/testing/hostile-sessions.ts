import { randomBytes } from 'node:crypto';

/** Names of attributes that would act where somebody forgot to quote, mask or fold them. */
const HOSTILE_NAMES: Readonly<Record<string, string>> = {
  "x'); DROP TABLE user_session; --": 'sql',
  '<script>alert(1)</script>': 'html',
  'line\n); DELETE FROM user_session; --': 'line',
  'back`tick"quote\\': 'quotes',
  '🚀': 'emoji',
  SELECT: 'reserved',
  select: 'the same in another case',
  id: 'as a column that is there',
  xmin: 'as a column of the system',
  ['n'.repeat(10_240)]: 'long',
  'right\u202eleft': 'direction',
};

/** A session of express-session with an attribute of every type that gets a column, and hostile names. */
export function hostileSession(n: number): Readonly<Record<string, unknown>> {
  return {
    cookie: { originalMaxAge: 3_600_000, path: '/' },
    user: { id: n, name: `ada-${n}`, roles: ['user'] },
    tenantId: `tenant-${n % 60}`,
    plan: n % 3 === 0 ? 'carat' : 'silver',
    signedInAt: new Date(1_700_000_000_000 + n).toISOString(),
    visits: n,
    ratio: n / 7,
    trial: n % 2 === 0,
    device: `00000000-0000-4000-8000-${String(n).padStart(12, '0')}`,
    csrfToken: randomBytes(16).toString('hex'),
    ...(n === 5 ? { 'grace@example.org': { '4111111111111111': true } } : {}),
    ...HOSTILE_NAMES,
  };
}
