import { randomBytes } from 'node:crypto';
import { mintSessionToken, type SessionKey, type SessionRecord } from '@wherry/sessions';

/** What every row of the bench has beside its key. */
const LIFE_MS = 1_800_000;
const AUTHORITIES = [
  ['ROLE_USER', 'orders:read', 'orders:write'],
  ['ROLE_USER', 'ROLE_ADMIN', 'orders:read', 'orders:write', 'users:read'],
  ['ROLE_USER'],
];

/** A new key, as a log-in makes it. */
export function newKey(): SessionKey {
  return mintSessionToken((randomBytes(8).readBigUInt64BE() >> 1n) | 1n).key;
}

/** A session of an ordinary web application: 250 bytes of attributes, an id carried over from another store. */
export function newSession(key: SessionKey, user: number, now: number): SessionRecord {
  const authorities = AUTHORITIES[user % AUTHORITIES.length] ?? [];
  const attributes = JSON.stringify({
    cookie: { originalMaxAge: LIFE_MS, expires: new Date(now + LIFE_MS).toISOString(), httpOnly: true, path: '/' },
    user: { id: user, name: `user${user}`, roles: authorities },
    cart: { items: [user, user + 1], currency: 'EUR' },
    language: 'en',
  });
  return {
    key,
    userId: String(user),
    username: `user${user}`,
    role: authorities[0] ?? null,
    authorities,
    createTime: now,
    lastAccessTime: now,
    expireTime: now + LIFE_MS,
    userGeneration: 0,
    attributes,
    version: { epoch: 1, n: 1 },
    touchVersion: now,
    sourceRef: randomBytes(61),
  };
}

/** The columns of the table, in the order of {@link sessionValues}. */
export const COLUMNS: readonly string[] = [
  'slot',
  'id',
  'session_id',
  'user_id',
  'username',
  'role',
  'authorities',
  'create_time',
  'last_access_time',
  'expire_time',
  'user_generation',
  'attributes',
  'epoch',
  'version',
  'touch_version',
  'deleted_at',
  'source_ref',
];

/** A session as the values of a row. */
export function sessionValues({ key, ...record }: SessionRecord): (string | number | bigint | Buffer | null)[] {
  return [
    key.slot,
    key.id,
    key.digest,
    record.userId,
    record.username,
    record.role,
    JSON.stringify(record.authorities),
    record.createTime,
    record.lastAccessTime,
    record.expireTime,
    record.userGeneration,
    record.attributes,
    record.version.epoch,
    record.version.n,
    record.touchVersion,
    null,
    record.sourceRef,
  ];
}

/** A row in COPY's text form. */
export function copyLine(record: SessionRecord): string {
  const fields = sessionValues(record).map((value) => {
    if (value === null) return String.raw`\N`;
    if (Buffer.isBuffer(value)) return String.raw`\\x${value.toString('hex')}`;
    return String(value).replaceAll('\\', String.raw`\\`);
  });
  return `${fields.join('\t')}\n`;
}
