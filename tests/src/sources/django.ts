import { createHmac, randomBytes } from 'node:crypto';
import { inflateSync } from 'node:zlib';
import { openBytes } from './bytes-application.ts';
import { askProgram, hasProgram } from './program.ts';
import { golden, rewritten } from './golden.ts';
import { LARGE_BYTES, cut, hostileJson, manyNames } from './hostile.ts';
import type { Hostile, Owner, Software } from './software.ts';

const LIFE_MS = 14 * 86_400_000;
const SHORT_TEXT = 0x8c;
const FRAME = 0x95;
/** After the protocol and the opcode. */
const FRAME_LENGTH_AT = 3;

interface Written {
  readonly form: 'cache' | 'signed';
  readonly cache: string;
  readonly session: string;
  readonly base64: string;
}

const { sessions } = golden('django/sessions.json') as { sessions: Written[] };
const USER: Owner = { userId: '42', authorities: [] };
const OTHERS = sessions.filter(({ session }) => !['unknown class', 'until', 'idle'].includes(session));

function kinds(form: Written['form']): readonly Written[] {
  return OTHERS.filter((each) => each.form === form);
}

/** A text of at most 255 bytes in a pickle of protocol 4. */
function short(value: string): Buffer {
  return Buffer.concat([Buffer.from([SHORT_TEXT, Buffer.byteLength(value)]), Buffer.from(value)]);
}

/** A pickle of one frame with other texts in it: the frame's length stands at its beginning. */
function repickled(bytes: Buffer, changes: Readonly<Record<string, string>>): Buffer {
  let changed = bytes;
  for (const [before, after] of Object.entries(changes)) changed = rewritten(changed, short(before), short(after));
  if (bytes[FRAME_LENGTH_AT - 1] !== FRAME) throw new Error('the pickle has no frame');
  const copy = Buffer.from(changed);
  copy.writeBigUInt64LE(bytes.readBigUInt64LE(FRAME_LENGTH_AT) + BigInt(changed.length - bytes.length), FRAME_LENGTH_AT);
  return copy;
}

/** `payload:timestamp:signature` of another session, signed as `django.core.signing` does. */
function resigned(bytes: Buffer, user: string, round: number): Buffer {
  const [payload = '', timestamp = ''] = bytes.toString().split(':');
  const plain = payload.startsWith('.') ? inflateSync(Buffer.from(payload.slice(1), 'base64url')) : Buffer.from(payload, 'base64url');
  const session = { ...(JSON.parse(plain.toString()) as object), _auth_user_id: user, round };
  return signedText(JSON.stringify(session), timestamp);
}

function signedText(payload: string, timestamp: string): Buffer {
  const signed = `${Buffer.from(payload).toString('base64url')}:${timestamp}`;
  return Buffer.from(`${signed}:${createHmac('sha256', 'made up').update(signed).digest('base64url')}`);
}

/** Every other session has a user of his own and changes by the round, the rest are as Django wrote them. */
function content(form: Written['form'], n: number, round: number): Owner & { readonly bytes: Buffer } {
  const all = kinds(form);
  const base = all.find(({ cache, session }) => session === 'plain' && cache === (form === 'cache' ? 'default' : 'JSONSerializer'));
  const own = n % 2 === 0 ? base : all[(n >> 1) % all.length];
  if (own === undefined) throw new Error('Django has written none');
  const bytes = Buffer.from(own.base64, 'base64');
  const user = String(1000 + n);
  if (n % 2 !== 0) return { ...(['anonymous', 'empty'].includes(own.session) ? { userId: null, authorities: [] } : USER), bytes };
  const changed = form === 'cache' ? repickled(bytes, { 42: user, 'Zoë 😀': `round ${round} 😀` }) : resigned(bytes, user, round);
  return { ...USER, userId: user, bytes: changed };
}

function hostile(form: Written['form'], kind: Hostile): Buffer {
  if (kind === 'cut') return cut(content(form, 0, 0).bytes);
  if (form === 'signed') return signedText(hostileJson(kind, {}), '1sXyZ0');
  switch (kind) {
    case 'large': {
      const length = Buffer.alloc(4);
      length.writeUInt32LE(LARGE_BYTES);
      return Buffer.concat([Buffer.from('}U\u0004textX'), length, Buffer.alloc(LARGE_BYTES, 'x'), Buffer.from('s.')]);
    }
    case 'many':
      return Buffer.from(
        `}(${manyNames()
          .map((name) => `U${String.fromCharCode(name.length)}${name}K\u0001`)
          .join('')}u.`,
      );
    case 'endless':
      return Buffer.from(sessions.find(({ cache, session }) => cache === 'default' && session === 'loop')?.base64 ?? '', 'base64');
  }
}

const { WHERRY_TEST_DJANGO_PYTHON: PROGRAM = 'python3' } = process.env;
const isAtHand = hasProgram(PROGRAM, ['-c', 'import django, redis'], 'python3 with django and redis');
const CACHE_PREFIX = '1:django.contrib.sessions.cache';

function django(form: Written['form'], prefix: string): Software {
  return {
    name: `Django, ${form}`,
    format: `django-${form}`,
    prefix: (own) => `${own}:${prefix}`,
    lifeMs: LIFE_MS,
    refused: { large: 'too_large', cut: 'malformed', ...(form === 'signed' ? { endless: 'too_deep' } : {}) },
    newId: () => randomBytes(16).toString('hex'),
    cookie: (rawId) => `sessionid=${rawId}`,
    open: (url, keys) =>
      openBytes(url, keys, { lifeMs: LIFE_MS, content: (n, round) => content(form, n, round), hostile: (kind) => hostile(form, kind) }),
    // A backend that keeps what Django signs is always somebody's own.
    ...(isAtHand && form === 'cache'
      ? {
          itself: (redis: string, keys: string, id: string) =>
            askProgram(PROGRAM, 'django/session.py', { redis, prefix: keys.slice(0, -CACHE_PREFIX.length - 1), id }),
        }
      : {}),
  };
}

/** Django with its sessions in a cache, and with backends that keep what it signs. */
export const DJANGO: readonly Software[] = [django('cache', CACHE_PREFIX), django('signed', 'session:')];
