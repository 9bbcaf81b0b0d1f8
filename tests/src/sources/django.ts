import { createHmac, randomBytes } from 'node:crypto';
import { openBytes } from './bytes-application.ts';
import { golden, rewritten } from './golden.ts';
import type { Owner, Software } from './software.ts';

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
  const session = { ...(JSON.parse(Buffer.from(payload, 'base64url').toString()) as object), _auth_user_id: user, round };
  const signed = `${Buffer.from(JSON.stringify(session)).toString('base64url')}:${timestamp}`;
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

function django(form: Written['form'], prefix: string): Software {
  return {
    name: `Django, ${form}`,
    format: `django-${form}`,
    prefix: (own) => `${own}:${prefix}`,
    lifeMs: LIFE_MS,
    newId: () => randomBytes(16).toString('hex'),
    cookie: (rawId) => `sessionid=${rawId}`,
    open: (url, keys) => openBytes(url, keys, { lifeMs: LIFE_MS, content: (n, round) => content(form, n, round) }),
  };
}

/** Django with its sessions in a cache, and with backends that keep what it signs. */
export const DJANGO: readonly Software[] = [django('cache', '1:django.contrib.sessions.cache'), django('signed', 'session:')];
