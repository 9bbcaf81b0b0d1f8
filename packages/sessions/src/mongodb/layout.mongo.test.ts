import { startMongo } from '@wherry/embedded';
import { PATIENT_MS } from '@wherry/embedded/testing';
import type { Collection, Document, MongoClient } from 'mongodb';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { createMongoSessionStore, type ConnectMongoOptions, type MongoSessionStore } from '../testing/mongo-session-store.ts';
import { HOUR, newRawId, present, read, sessionValue } from '../testing/source-fixture.ts';
import type { SourceStore } from '../source/contract.ts';
import { createMongoSource, type MongoClientLike } from './source.ts';

let theirs: MongoSessionStore;
let source: SourceStore;
let documents: Collection<Document & { _id: string }>;

async function open(options: ConnectMongoOptions = {}): Promise<MongoSessionStore & { readonly source: SourceStore }> {
  const store = await createMongoSessionStore(inject('mongoUrl'), options);
  return { ...store, source: createMongoSource({ client: store.client, database: store.database, timeoutMs: PATIENT_MS }) };
}

beforeAll(async () => {
  const opened = await open();
  ({ source } = opened);
  theirs = opened;
  documents = theirs.client.db(theirs.database).collection<Document & { _id: string }>('sessions');
});
afterAll(() => theirs.drop());

const legacy = (text: string): { cookie: { originalMaxAge: number; expires: Date }; text: string } => ({
  cookie: { originalMaxAge: HOUR, expires: new Date(Date.now() + HOUR) },
  text,
});

describe('the layout of connect-mongo', () => {
  test('one document has the session of the application and what is ours', async () => {
    const rawId = newRawId();
    await source.save(rawId, sessionValue(), HOUR, 4, { mark: 'a1' });
    expect(await documents.findOne({ _id: rawId })).toEqual({
      _id: rawId,
      session: sessionValue(),
      expires: expect.any(Date) as Date,
      w: 1,
      we: 4,
      wi: 'a1',
    });
    await source.end(rawId, HOUR, 4);
    expect(await documents.findOne({ _id: rawId })).toEqual({
      _id: rawId,
      session: null,
      expires: null,
      w: 1,
      we: 4,
      ended: expect.any(Date) as Date,
    });
  });

  test('the application does not see a tombstone, whatever it asks, and does not remove it by its age', async () => {
    const own = await open();
    try {
      const [ended, lives] = [newRawId(), newRawId()];
      await own.source.save(lives, sessionValue('lives'), HOUR, 0);
      await own.source.end(ended, HOUR, 0);
      const all = await new Promise((resolve, reject) =>
        own.expressStore.all?.((error: Error | null, found: unknown) => (error ? reject(error) : resolve(found))),
      );
      expect(all).toMatchObject([{ text: 'lives' }]);
      expect((await own.store.get(ended)) ?? null).toBeNull();
      // What its own timer does.
      await own.client
        .db(own.database)
        .collection('sessions')
        .deleteMany({ expires: { $lt: new Date() } });
      expect(await read(own.source, ended)).toMatchObject({ ended: true });
    } finally {
      await own.drop();
    }
  });

  test('what an old writer saves or touches over a tombstone stays ended', async () => {
    for (const write of ['set', 'touch'] as const) {
      const rawId = newRawId();
      await source.end(rawId, HOUR, 0);
      await theirs.store[write](rawId, legacy('late'));
      expect(await read(source, rawId)).toMatchObject({ ended: true, value: '' });
      expect(await source.save(rawId, sessionValue(), HOUR, 9)).toEqual({ outcome: 'ended' });
      await source.end(rawId, HOUR, 0);
      expect((await theirs.store.get(rawId)) ?? null).toBeNull();
    }
  });

  test('what the application saves keeps the version, and destroying removes it', async () => {
    const rawId = newRawId();
    await source.save(rawId, sessionValue(), HOUR, 3);
    await theirs.store.set(rawId, legacy('theirs'));
    expect(await read(source, rawId)).toMatchObject({ version: { epoch: 3, n: 1 } });
    await theirs.store.destroy(rawId);
    expect(await source.save(rawId, sessionValue(), HOUR, 3)).toMatchObject({ version: { epoch: 3, n: 1 } });
  });

  test('documents that are no sessions do no harm', async () => {
    const [number, past, good] = [newRawId(), newRawId(), newRawId()];
    await documents.insertOne({ _id: number, session: 7, expires: new Date(Date.now() + HOUR) });
    await documents.insertOne({ _id: past, session: sessionValue(), expires: 'tomorrow' });
    await source.save(good, sessionValue(), HOUR, 0);
    expect((await source.get([number, past, good])).map((session) => session?.value)).toEqual(['7', undefined, sessionValue()]);
    expect(await source.get(['\ud800', ''])).toEqual([undefined, undefined]);
    await expect(source.save('\ud800', sessionValue(), HOUR, 0)).rejects.toMatchObject({ code: 'bad_request' });
    await expect(source.save('x'.repeat(1001), sessionValue(), HOUR, 0)).rejects.toMatchObject({ code: 'bad_request' });
  });

  test('sessions are written as those that are there: as documents where the application does so', async () => {
    const own = await open({ stringify: false });
    try {
      const id = newRawId();
      await own.store.set(newRawId(), legacy('theirs'));
      await own.source.put(id, sessionValue('put'), null, { epoch: 1, n: 1 });
      expect(
        await own.client
          .db(own.database)
          .collection('sessions')
          .findOne({ session: { $type: 'object' }, w: 1 }),
      ).toMatchObject({
        session: { text: 'put' },
      });
      expect(await own.store.get(id)).toMatchObject({ text: 'put' });
    } finally {
      await own.drop();
    }
  });

  test('wrong options are told before anything is done, and without the address', () => {
    expect(() => createMongoSource({})).toThrow('client or a URL');
    expect(() => createMongoSource({ url: 'mongodb://ada:secret@host/db?nonsense=1' })).toThrow(
      expect.objectContaining({ code: 'config_invalid', message: expect.not.stringContaining('secret') as string }) as Error,
    );
  });
});

/** The client of the application, which answers `hello` as `change` has it. */
function answering(client: MongoClient, change: (hello: Document) => Document): MongoClientLike {
  return {
    close: () => client.close(),
    db: (name, options) => {
      const db = client.db(name, options);
      return new Proxy(db, {
        get: (target, member) => {
          if (member === 'command') return async (command: Document) => change(await target.command(command));
          const value = Reflect.get(target, member) as unknown;
          return typeof value === 'function' ? (value.bind(target) as unknown) : value;
        },
      });
    },
  };
}

describe('the server', () => {
  test('another primary, another configuration and another start are other incarnations; their cursors are lost', async () => {
    const { client, database } = theirs;
    let hello: Document = { setName: 'rs', setVersion: 1, electionId: 'aa' };
    const ours = createMongoSource({ client: answering(client, (real) => ({ ...real, ...hello })), database, timeoutMs: PATIENT_MS });
    const seen = new Set<string>();
    for (const next of [
      hello,
      { setName: 'rs', setVersion: 1, electionId: 'bb' },
      { setName: 'rs', setVersion: 2, electionId: 'bb' },
      { topologyVersion: { processId: 'cc' } },
      { topologyVersion: { processId: 'dd' } },
      { msg: 'isdbgrid' },
    ]) {
      const [before] = await ours.partitions();
      hello = next;
      const [after] = await ours.partitions();
      seen.add(present(after).incarnation);
      await ours.scan(present(after), null, 10);
      if (before?.incarnation !== after?.incarnation)
        await expect(ours.scan(present(before), null, 10)).rejects.toMatchObject({ code: 'source_cursor_lost' });
    }
    expect(seen.size).toBe(6);
  });

  test('it says what the time is, not the clock of this machine', async () => {
    const { client, database } = theirs;
    const ahead = (real: Document): Document => ({ ...real, localTime: new Date((real['localTime'] as Date).getTime() + 2 * HOUR) });
    const ours = createMongoSource({ client: answering(client, ahead), database, timeoutMs: PATIENT_MS });
    expect((await ours.now()) - Date.now()).toBeGreaterThan(1.9 * HOUR);
    const rawId = newRawId();
    await source.save(rawId, sessionValue(), HOUR, 0);
    expect(await read(ours, rawId)).toBeUndefined();
    await ours.save(rawId, sessionValue(), HOUR, 0);
    expect((await read(source, rawId))?.expireTime).toBeGreaterThan(Date.now() + 2 * HOUR);
  });

  test('a session that is too large is refused, and nothing else', async () => {
    const rawId = newRawId();
    await expect(source.save(rawId, 'x'.repeat(17 * 1024 * 1024), HOUR, 0)).rejects.toMatchObject({ code: 'source_refused' });
    expect(await read(source, rawId)).toBeUndefined();
    expect(await source.save(rawId, sessionValue(), HOUR, 0)).toMatchObject({ outcome: 'applied' });
  });

  test('calls fail with a code while it is away, and go on by themselves', async () => {
    const server = await startMongo();
    const ours = createMongoSource({ url: `${server.url}shop`, timeoutMs: PATIENT_MS });
    const impatient = createMongoSource({ url: `${server.url}shop`, timeoutMs: 500 });
    try {
      const rawId = newRawId();
      await ours.save(rawId, sessionValue('kept'), HOUR, 0);
      await server.pause();
      await expect(impatient.get([rawId])).rejects.toMatchObject({ code: 'source_unavailable' });
      await expect(impatient.save(rawId, sessionValue(), HOUR, 0)).rejects.toMatchObject({ code: 'source_unavailable' });
      await expect(impatient.partitions()).rejects.toMatchObject({ code: 'source_unavailable' });
      await server.start();
      await expect.poll(() => ours.get([rawId]).catch(() => [])).toMatchObject([{ value: sessionValue('kept') }]);
    } finally {
      await ours.close();
      await impatient.close();
      await server.stop();
    }
  });

  test('one that never answers is away', async () => {
    const silent = { db: () => ({ command: () => new Promise(() => undefined), collection: () => ({}) }), close: async () => undefined };
    const stuck = createMongoSource({ client: silent as unknown as MongoClientLike, timeoutMs: 50 });
    await expect(stuck.now()).rejects.toMatchObject({ code: 'source_unavailable' });
    const refused = createMongoSource({ client: Promise.reject(new Error('no such host')), timeoutMs: PATIENT_MS });
    await expect(refused.now()).rejects.toMatchObject({ code: 'source_unavailable' });
  });
});
