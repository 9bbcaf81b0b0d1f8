import { randomUUID } from 'node:crypto';
import { RESP_TYPES, createClient } from 'redis';
import { golden, rewritten } from './golden.ts';
import { LARGE_BYTES, cut, hostileJson, manyNames } from './hostile.ts';
import type { Application, Hostile, Owner, Software } from './software.ts';

type Values = 'jdk' | 'json';
interface GoldenKey {
  readonly fields?: Readonly<Record<string, string>>;
}

const IDLE_S = 1800;
const INDEX = 'index:org.springframework.session.FindByIndexNameSessionRepository.PRINCIPAL_NAME_INDEX_NAME:';
const CONTEXT = 'sessionAttr:SPRING_SECURITY_CONTEXT';
const ATTRIBUTES = ['sessionAttr:csrf', 'sessionAttr:truth', 'sessionAttr:large', 'sessionAttr:list', 'sessionAttr:text'];

/** The people of `Main.java`. */
const OWNERS: readonly (Owner & { readonly id: string })[] = [
  { id: 'ada', userId: 'ada', authorities: ['ROLE_ADMIN', 'ROLE_USER'] },
  { id: 'grace', userId: 'grace', authorities: ['OIDC_USER'] },
  { id: 'guest', userId: null, authorities: [] },
];

/** A text as it stands in a Java stream (of characters that UTF-8 and Java's own form of it write alike), or as JSON. */
function text(values: Values, value: string): Buffer {
  if (values === 'json') return Buffer.from(JSON.stringify(value));
  const bytes = Buffer.from(value);
  if (bytes.length < 65_536) return Buffer.concat([Buffer.from([0x74, bytes.length >> 8, bytes.length & 0xff]), bytes]);
  const head = Buffer.alloc(9, 0x7c);
  head.writeBigUInt64BE(BigInt(bytes.length), 1);
  return Buffer.concat([head, bytes]);
}

/** The field of a text: behind the header of a stream. */
function textField(values: Values, value: string): Buffer {
  return values === 'json' ? text(values, value) : Buffer.concat([Buffer.from('aced0005', 'hex'), text(values, value)]);
}

/** A field that holds a number, with another one. */
function numbered(values: Values, field: Buffer, value: number): Buffer {
  if (values === 'json') return Buffer.from(String(value));
  const copy = Buffer.from(field);
  if (copy.includes('java.lang.Long')) copy.writeBigInt64BE(BigInt(value), field.length - 8);
  else copy.writeInt32BE(value, field.length - 4);
  return copy;
}

async function open(url: string, prefix: string, indexed: boolean, values: Values): Promise<Application> {
  const client = await createClient({ url })
    .withTypeMapping({ [RESP_TYPES.BLOB_STRING]: Buffer })
    .connect();
  const written = golden(`spring/golden/${indexed ? 'indexed' : 'plain'}-${values}.json`) as Readonly<Record<string, GoldenKey>>;
  const fieldsOf = (id: string): Record<string, Buffer> => {
    const fields = Object.entries(written[`spring:session:sessions:${id}`]?.fields ?? {});
    return Object.fromEntries(fields.map(([name, base64]) => [name, Buffer.from(base64, 'base64')]));
  };
  const keyOf = (rawId: string): string => prefix + rawId;
  const shadowOf = (rawId: string): string => `${prefix}expires:${rawId}`;
  const indexOf = (user: string): string => `${prefix.slice(0, -'sessions:'.length)}${INDEX}${user}`;
  const ended = (fields: Readonly<Record<string, Buffer>>): boolean => {
    const idle = fields['maxInactiveInterval'];
    return idle === undefined || (values === 'json' ? idle.toString() === '0' : idle.readInt32BE(idle.length - 4) === 0);
  };

  const store = async (rawId: string, fields: Record<string, Buffer>): Promise<void> => {
    await client.hSet(keyOf(rawId), fields);
    await client.expire(keyOf(rawId), IDLE_S + (indexed ? 300 : 0));
    if (indexed) await client.set(shadowOf(rawId), '', { expiration: { type: 'EX', value: IDLE_S } });
  };
  const timesOf = (found: Readonly<Record<string, Buffer>>): Record<string, Buffer> => {
    const field = (name: string, value: number): Buffer => numbered(values, found[name] ?? Buffer.alloc(0), value);
    const now = Date.now();
    return {
      creationTime: field('creationTime', now),
      lastAccessedTime: field('lastAccessedTime', now),
      maxInactiveInterval: field('maxInactiveInterval', IDLE_S),
    };
  };
  /** Attributes that are made to do harm. */
  const hostile: Readonly<Record<Hostile, () => Record<string, Buffer>>> = {
    large: () => ({ 'sessionAttr:text': textField(values, 'x'.repeat(LARGE_BYTES)) }),
    many: () => Object.fromEntries(manyNames().map((name) => [`sessionAttr:${name}`, textField(values, 'x')])),
    cut: () => ({ [CONTEXT]: cut(fieldsOf('ada')[CONTEXT] ?? Buffer.alloc(0)) }),
    endless: () => {
      const self = (golden('spring/golden/indexed-jdk.json') as Record<string, GoldenKey>)['spring:session:sessions:ada']?.fields?.[
        'sessionAttr:self'
      ];
      return {
        'sessionAttr:self': Buffer.from(
          values === 'json' ? hostileJson('endless', {}) : (self ?? ''),
          values === 'json' ? 'utf8' : 'base64',
        ),
      };
    },
  };

  return {
    async write(rawId, n, round) {
      const { id, ...owner } = OWNERS[n % OWNERS.length] ?? { id: '', userId: null, authorities: [] };
      const found = fieldsOf(id);
      const attributes = Object.fromEntries(Object.entries(found).filter(([name]) => ATTRIBUTES.includes(name)));
      const fields: Record<string, Buffer> = { ...attributes, ...timesOf(found) };
      fields['sessionAttr:text'] = textField(values, `round ${round} Zoë`);
      const user = owner.userId === null ? null : `${owner.userId}-${n}`;
      const context = found[CONTEXT];
      if (context !== undefined && user !== null) fields[CONTEXT] = rewritten(context, text(values, id), text(values, user));
      await store(rawId, fields);
      if (indexed && user !== null) await client.sAdd(indexOf(user), textField(values, rawId));
      return { ...owner, userId: user };
    },
    plant: (rawId, kind) => store(rawId, { ...timesOf(fieldsOf('ada')), ...hostile[kind]() }),
    async look(rawId) {
      const fields: Record<string, Buffer> = await client.hGetAll(keyOf(rawId));
      // Not there, or over: an indexed one stays for five minutes.
      if (ended(fields)) return undefined;
      if (indexed && (await client.exists(shadowOf(rawId))) === 0) return 'without its shadow';
      const { lastAccessedTime: _, ...rest } = fields;
      return JSON.stringify(
        Object.entries(rest)
          .map(([name, value]) => `${name} ${value.toString('base64')}`)
          .toSorted(),
      );
    },
    forget: async (rawId) => void (await client.del([keyOf(rawId), shadowOf(rawId)])),
    close: () => client.close(),
  };
}

function spring(indexed: boolean, values: Values): Software {
  return {
    name: `Spring Session, ${indexed ? 'indexed' : 'one hash'}, ${values}`,
    format: indexed ? 'spring-redis-indexed' : 'spring-redis',
    prefix: (own) => `${own}:sessions:`,
    lifeMs: IDLE_S * 1000,
    refused: { large: 'too_large', cut: 'malformed', ...(values === 'json' ? { endless: 'too_deep' } : {}) },
    newId: randomUUID,
    cookie: (rawId) => `SESSION=${Buffer.from(rawId).toString('base64')}`,
    open: (url, prefix) => open(url, prefix, indexed, values),
  };
}

/** Both repositories of Spring Session, serialising by the JDK and as JSON. */
export const SPRING: readonly Software[] = [spring(false, 'jdk'), spring(true, 'jdk'), spring(true, 'json')];
