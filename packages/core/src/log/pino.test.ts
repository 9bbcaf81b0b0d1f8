import fc from 'fast-check';
import { expect, test } from 'vitest';
import { WherryError } from '../errors.ts';
import type { LogFields, Logger } from '../log.ts';
import { createLogger, type LoggerOptions } from './pino.ts';

const captured = (
  options: LoggerOptions = {},
): { readonly log: Logger; readonly text: () => string; readonly line: () => Record<string, unknown> } => {
  const lines: string[] = [];
  const log = createLogger({ ...options, destination: { write: (line: string) => void lines.push(line) } });
  return { log, text: () => lines.join(''), line: () => JSON.parse(lines.at(-1) ?? '{}') as Record<string, unknown> };
};

const SECRET = 'hunter2-hunter2-hunter2';

test('a line is JSON with time, level, message and fields; ids keep all their digits', () => {
  const { log, line } = captured({ fields: { role: 'gateway' } });
  log.info('started', { id: 9_007_199_254_740_993n, slot: 3, at: new Date(5), nothing: undefined });
  expect(line()).toMatchObject({ level: 30, role: 'gateway', msg: 'started', id: '9007199254740993', slot: 3, at: 5 });
  expect(line()['time']).toBeTypeOf('number');
});

test('levels below the chosen one are not written', () => {
  const { log, text } = captured({ level: 'warn' });
  log.debug('a');
  log.info('b');
  expect(text()).toBe('');
  log.warn('c');
  log.error('d');
  expect(text().trim().split('\n')).toHaveLength(2);
});

test('a child adds its fields, cleaned as well', () => {
  const { log, line } = captured();
  log.child({ request: 'r1', token: SECRET }).info('x', { more: 1 });
  expect(line()).toMatchObject({ request: 'r1', token: '[secret]', more: 1 });
});

test.each([
  'authorization',
  'Cookie',
  'set-cookie',
  'password',
  'newPassword',
  'token',
  'access_token',
  'sessionToken',
  'client_secret',
  'cookieSecrets',
  'masterKey',
  'privateKey',
  'rawId',
  'sourceSessionId',
])('the value of %s is replaced at any depth', (name) => {
  const nestings: LogFields[] = [
    { [name]: SECRET },
    { request: { headers: { [name]: SECRET } } },
    { list: [{ a: { b: [{ [name]: { inner: SECRET } }] } }] },
    { map: new Map([[name, SECRET]]) },
    { error: new WherryError('bad_request', 'x', { data: { [name]: SECRET } }) },
  ];
  for (const fields of nestings) {
    const { log, text } = captured();
    log.error('failed', fields);
    expect(text()).not.toContain('hunter2');
    expect(text()).toContain('[secret]');
  }
});

test('a count under the name of a secret stays: it tells nothing', () => {
  const { log, line } = captured();
  log.info('x', { tokens: 3, cookie: false, authorization: undefined });
  expect(line()).toMatchObject({ tokens: 3, cookie: false });
});

const jwt = `eyJhbGciOiJFUzI1NiJ9.${Buffer.from('{"sub":"1"}').toString('base64url')}.${'A'.repeat(86)}`;
const SHAPES = {
  'a JWT': jwt,
  'a session token': `st_${'Ab3-_'.repeat(9)}`,
  'a signed cookie': `connect.sid=s%3A${'abc_-'.repeat(6)}.${'x9%2F'.repeat(9)}`,
  'a raw signed cookie': `s:${'abc_-'.repeat(6)}.${'x9/+'.repeat(10)}`,
  'a bearer': `Bearer ${'opaque0123'.repeat(3)}`,
  'a URL with a password': 'postgres://admin:hunter2hunter2@db.internal:5432/control',
} as const;
const bodyOf = (shape: string): string => /(eyJ|Ab3|abc_|opaque|hunter2).*/.exec(shape)?.[0].slice(0, 14) ?? shape;

test.each(Object.entries(SHAPES))('%s is replaced wherever it stands', (_, secret) => {
  const nested = new Error('outer', {
    cause: new Error(`driver says ${secret}`, { cause: new AggregateError([new Error(secret)], secret) }),
  });
  const carriers: ((log: Logger) => void)[] = [
    (log) => log.info(`got ${secret} here`),
    (log) => log.info('x', { note: `got ${secret} here` }),
    (log) => log.info('x', { list: [[secret]] }),
    (log) => log.error('x', { error: new Error(secret) }),
    (log) => log.error('x', { error: nested }),
    (log) => log.error('x', { error: new WherryError('internal', secret, { cause: nested, data: { note: secret } }) }),
    (log) => log.child({ note: secret }).info('x'),
  ];
  for (const carry of carriers) {
    const { log, text } = captured();
    carry(log);
    expect(text()).not.toBe('');
    expect(text()).not.toContain(bodyOf(secret));
  }
});

test('an error keeps code, data, frames and causes, and its stack does not repeat the message', () => {
  const { log, line } = captured();
  const cause = Object.assign(new Error('refused'), { code: 'ECONNREFUSED' });
  log.error('x', { error: new WherryError('shard_unavailable', 'shard 2 is away', { cause, data: { shard: 2 } }) });
  const error = line()['error'] as Record<string, unknown>;
  expect(error).toMatchObject({
    code: 'shard_unavailable',
    message: 'shard 2 is away',
    data: { shard: 2 },
    cause: { message: 'refused', code: 'ECONNREFUSED' },
  });
  expect(error['stack']).toMatch(/^\s+at /);
  expect(error['stack']).not.toContain('shard 2 is away');
});

test('what a database says of column values is left out', () => {
  const { log, text } = captured();
  const duplicate = Object.assign(new Error('duplicate key'), { code: '23505', detail: `Key (name)=(${SECRET}) already exists.` });
  const syntax = Object.assign(new Error(`invalid input syntax for type bigint: "${SECRET}"`), { code: '22P02' });
  log.error('x', { duplicate, syntax });
  expect(text()).not.toContain('hunter2');
  expect(text()).toContain('22P02');
});

test('bytes are counted, not shown; what is deep, wide or long is cut; a cycle ends', () => {
  const { log, text, line } = captured();
  const cycle: Record<string, unknown> = {};
  cycle['self'] = cycle;
  log.info('x', { bytes: Buffer.from(SECRET), cycle, wide: Array.from({ length: 1000 }, () => 1), long: 'a'.repeat(100_000) });
  expect(line()['bytes']).toBe(`[${SECRET.length} bytes]`);
  expect(text().length).toBeLessThan(10_000);
});

test('any value can be logged: a line comes out, and it is JSON', () => {
  fc.assert(
    fc.property(
      fc.string(),
      fc.dictionary(fc.string(), fc.anything({ withBigInt: true, withDate: true, withMap: true, withSet: true, withTypedArray: true })),
      (message, fields) => {
        const { log, line } = captured();
        log.info(message, { fields });
        expect(line()['level']).toBe(30);
      },
    ),
  );
});
