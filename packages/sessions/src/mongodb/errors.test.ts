import { MongoNetworkError, MongoServerError, MongoWriteConcernError } from 'mongodb';
import { expect, test } from 'vitest';
import { asSourceError } from './errors.ts';

const server = (code: number, errorLabels: string[] = []): MongoServerError =>
  new MongoServerError({ ok: 0, code, errmsg: 'said', errorLabels });
const concern = new MongoWriteConcernError({ ok: 1, writeConcernError: { code: 64, errmsg: 'waiting for replication timed out' } });

test.each([
  ['not the primary any more', server(10_107), 'source_unavailable'],
  ['stepping down', server(189), 'source_unavailable'],
  ['shutting down', server(91), 'source_unavailable'],
  ['out of time', server(50), 'source_unavailable'],
  ['labelled as to be repeated', server(1, ['RetryableWriteError']), 'source_unavailable'],
  ['acknowledged by too few: it may still be rolled back', concern, 'source_unavailable'],
  ['a lost connection', new MongoNetworkError('gone'), 'source_unavailable'],
  ['not allowed', server(13), 'source_refused'],
  ['no such user', server(18), 'source_refused'],
  ['too large', server(10_334), 'source_refused'],
  ['a document that BSON cannot hold', new TypeError('circular'), 'source_refused'],
])('%s', (_, error, code) => {
  const told = asSourceError(error);
  expect(told).toMatchObject({ code, cause: error });
  expect(told.message).not.toContain('said');
});
