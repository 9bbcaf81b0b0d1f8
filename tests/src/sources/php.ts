import { randomBytes } from 'node:crypto';
import { askProgram, hasProgram } from './program.ts';
import { openBytes } from './bytes-application.ts';
import { golden, rewritten } from './golden.ts';
import { LARGE_BYTES, cut, manyNames } from './hostile.ts';
import type { Hostile, Owner, Software } from './software.ts';

type Handler = 'php' | 'php_serialize' | 'php_binary';

const LIFE_MS = 1_440_000;
const { sessions } = golden('php/sessions.json') as { sessions: { handler: Handler; session: string; base64: string }[] };

/** The people of `write-sessions.php`. */
const OWNERS: Readonly<Record<string, Owner>> = {
  array: { userId: '42', authorities: ['ROLE_USER', 'ROLE_ADMIN'] },
  stdclass: { userId: 'u-7', authorities: ['ROLE_USER', 'ROLE_AUDIT'] },
  classes: { userId: '9223372036854775807', authorities: ['ROLE_USER', 'ROLE_OPS'] },
  references: { userId: '9', authorities: [] },
  bytes: { userId: '5', authorities: [] },
  'own-form': { userId: '6', authorities: [] },
  anonymous: { userId: null, authorities: [] },
};
const NAMES = Object.keys(OWNERS);

/** A text of PHP's: its length in bytes stands before it. */
function text(value: string): Buffer {
  return Buffer.from(`s:${Buffer.byteLength(value)}:"${value}"`);
}

/** The `n`th of what PHP wrote; of the first kind each has a user of his own, and each round another name. */
function content(handler: Handler, n: number, round: number): Owner & { readonly bytes: Buffer } {
  const name = NAMES[n % NAMES.length] ?? '';
  const written = sessions.find((each) => each.handler === handler && each.session === name);
  const bytes = Buffer.from(written?.base64 ?? '', 'base64');
  const owner = OWNERS[name] ?? { userId: null, authorities: [] };
  if (name !== 'array') return { ...owner, bytes };
  const user = String(1000 + n);
  const renamed = rewritten(bytes, text('ada'), text(`ada-${round}-Zoë`));
  return { ...owner, userId: user, bytes: rewritten(renamed, Buffer.from('s:2:"id";i:42;'), Buffer.from(`s:2:"id";i:${user};`)) };
}

/** Variables as a handler puts them together. */
function variables(handler: Handler, values: readonly (readonly [name: string, value: string])[]): Buffer {
  const parts = values.map(([name, value]) => {
    if (handler === 'php') return `${name}|${value}`;
    return handler === 'php_serialize' ? `s:${name.length}:"${name}";${value}` : String.fromCharCode(name.length) + name + value;
  });
  return Buffer.from(handler === 'php_serialize' ? `a:${parts.length}:{${parts.join('')}}` : parts.join(''));
}

function hostile(handler: Handler, kind: Hostile): Buffer {
  switch (kind) {
    case 'large':
      return variables(handler, [['text', `s:${LARGE_BYTES}:"${'x'.repeat(LARGE_BYTES)}";`]]);
    case 'many':
      return variables(
        handler,
        manyNames().map((name) => [name, 'i:1;']),
      );
    case 'cut':
      return cut(content(handler, 0, 0).bytes);
    case 'endless':
      return variables(handler, [['self', 'a:1:{i:0;R:1;}']]);
  }
}

const { WHERRY_TEST_PHP: PROGRAM = 'php' } = process.env;
const isAtHand = hasProgram(PROGRAM, ['-r', 'exit(extension_loaded("redis") ? 0 : 1);'], 'php with its extension redis');

function phpBy(format: string, handler: Handler): Software {
  return {
    name: `PHP, ${handler}`,
    format,
    prefix: (own) => `${own}:PHPREDIS_SESSION:`,
    lifeMs: LIFE_MS,
    refused: { large: 'too_large', cut: 'malformed' },
    newId: () => randomBytes(13).toString('hex'),
    cookie: (rawId) => `PHPSESSID=${rawId}`,
    open: (url, prefix) =>
      openBytes(url, prefix, {
        lifeMs: LIFE_MS,
        content: (n, round) => content(handler, n, round),
        hostile: (kind) => hostile(handler, kind),
      }),
    ...(isAtHand
      ? {
          itself: (url: string, prefix: string, id: string) =>
            askProgram(PROGRAM, 'php/session.php', { redis: `tcp://${new URL(url).host}`, prefix, handler, id }),
        }
      : {}),
  };
}

/** PHP with phpredis, by each of its handlers. */
export const PHP: readonly Software[] = [phpBy('php', 'php'), phpBy('php-serialize', 'php_serialize'), phpBy('php-binary', 'php_binary')];
