import { existsSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { connect } from 'node:net';
import pg from 'pg';
import { expect, test } from 'vitest';
import { startDynamo } from './dynamo.ts';
import { freePort, onFreePort } from './free-port.ts';
import { startGuarded } from './guarded-process.ts';
import { startPostgres } from './postgres.ts';
import { startRedis } from './redis.ts';

const query = async (url: string, sql: string): Promise<Record<string, unknown>[]> => {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query<Record<string, unknown>>(sql)).rows;
  } finally {
    await client.end();
  }
};

/** False also for a process that has ended and that nobody has asked about since (state Z). */
const runs = (pid: number): boolean => {
  try {
    return !/\) Z/.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
};

/** Sends inline commands of Redis' protocol and answers what came back until the end of the connection. */
const redis = (port: number, ...commands: string[]): Promise<string> =>
  new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => socket.end([...commands, 'QUIT', ''].join('\r\n')));
    let answer = '';
    socket.setEncoding('utf8').on('data', (text: string) => (answer += text));
    socket.once('error', reject);
    socket.once('close', () => resolve(answer));
  });

const dynamo = async (endpoint: string, operation: string, body: object): Promise<Record<string, unknown>> => {
  const headers = {
    'content-type': 'application/x-amz-json-1.0',
    'x-amz-target': `DynamoDB_20120810.${operation}`,
    'x-amz-date': '20260101T000000Z',
    authorization: 'AWS4-HMAC-SHA256 Credential=a/20260101/r/dynamodb/aws4_request, SignedHeaders=host, Signature=a',
  };
  const answer = await fetch(endpoint, { method: 'POST', headers, body: JSON.stringify(body) });
  expect(answer.status).toBe(200);
  return (await answer.json()) as Record<string, unknown>;
};

test('PostgreSQL starts with its databases, keeps its data over a pause, and is gone after the stop', async () => {
  const server = await startPostgres({ databases: ['one', 'two'], settings: ['log_min_duration_statement=123'] });
  try {
    await query(server.url('one'), 'CREATE TABLE a AS SELECT 7 AS n');
    expect(await query(server.url('one'), 'SHOW log_min_duration_statement')).toEqual([{ log_min_duration_statement: '123ms' }]);
    await server.createDatabase('three', 'one');
    await server.pause();
    await server.pause();
    await expect(query(server.url('one'), 'SELECT 1')).rejects.toThrow('ECONNREFUSED');
    await server.start();
    await server.start();
    expect(await query(server.url('three'), 'SELECT n FROM a')).toEqual([{ n: 7 }]);
    expect(await query(server.url('two'), 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
  } finally {
    await server.stop();
  }
  await expect(query(server.url('one'), 'SELECT 1')).rejects.toThrow('ECONNREFUSED');
  expect(existsSync(server.folder)).toBe(false);
});

test('a PostgreSQL that is stopped while clients are connected does not wait for them', async () => {
  const server = await startPostgres();
  const client = new pg.Client({ connectionString: server.url('postgres') });
  const lost = new Promise((resolve) => client.on('error', resolve));
  await client.connect();
  await server.stop();
  expect(String(await lost)).toMatch(/terminat/);
});

test('Redis starts, and keeps its data over a pause', async () => {
  const server = await startRedis();
  try {
    expect(await redis(server.port, 'SET a 7')).toBe('+OK\r\n+OK\r\n');
    await server.pause();
    await expect(redis(server.port, 'PING')).rejects.toThrow('ECONNREFUSED');
    await server.start();
    expect(await redis(server.port, 'GET a')).toContain('7');
  } finally {
    await server.stop();
  }
});

test('the DynamoDB-compatible store starts, and keeps its data over a pause', async () => {
  const server = await startDynamo();
  try {
    await dynamo(server.endpoint, 'CreateTable', {
      TableName: 'sessions',
      AttributeDefinitions: [{ AttributeName: 'id', AttributeType: 'S' }],
      KeySchema: [{ AttributeName: 'id', KeyType: 'HASH' }],
      BillingMode: 'PAY_PER_REQUEST',
    });
    await expect
      .poll(async () => JSON.stringify(await dynamo(server.endpoint, 'DescribeTable', { TableName: 'sessions' })))
      .toContain('"ACTIVE"');
    await dynamo(server.endpoint, 'PutItem', { TableName: 'sessions', Item: { id: { S: 'a' }, n: { N: '7' } } });
    await server.pause();
    await expect(dynamo(server.endpoint, 'ListTables', {})).rejects.toThrow('fetch failed');
    await server.start();
    const { Item } = await dynamo(server.endpoint, 'GetItem', { TableName: 'sessions', Key: { id: { S: 'a' } }, ConsistentRead: true });
    expect(Item).toEqual({ id: { S: 'a' }, n: { N: '7' } });
  } finally {
    await server.stop();
  }
});

test('a server that fails at its start is an error at once, with what it said', async () => {
  // Far beyond what this test may take: nothing here waits until it is over.
  const readyMs = 3_600_000;
  const failing = startGuarded({ command: 'sh', args: ['-c', 'echo no such luck; exit 3'], isReady: () => false, readyMs });
  await expect(failing).rejects.toThrow(/ended at once:\s*no such luck/);
  const absent = startGuarded({ command: '/no/such/program', args: [], isReady: () => false, readyMs });
  await expect(absent).rejects.toThrow(/ended at once/);
});

test('a server that is not ready in time is ended', async () => {
  // Long enough to say who it is, however slow the machine: else once more with twice the time.
  const lateBy = async (readyMs: number): Promise<number> => {
    const late = startGuarded({
      command: 'sh',
      args: ['-c', 'echo $$; exec sleep 1000'],
      isReady: () => false,
      readyMs,
      endSignal: 'TERM',
    });
    const error = await late.catch((reason: unknown) => reason);
    expect(String(error)).toContain('was not ready in time');
    const said = /\d+/.exec(String(error).split('\n')[1] ?? '')?.[0];
    return said === undefined ? lateBy(2 * readyMs) : Number(said);
  };
  const pid = await lateBy(300);
  await expect.poll(() => runs(pid)).toBe(false);
});

test('a server that does not end when it is asked is killed', async () => {
  const script = 'trap "" TERM; echo pid $$; while :; do sleep 0.1; done';
  const server = await startGuarded({
    command: 'sh',
    args: ['-c', script],
    isReady: (output) => output.includes('pid'),
    endSignal: 'TERM',
    endMs: 300,
  });
  const pid = Number(/\d+/.exec(server.output())?.[0]);
  await server.stop();
  await expect.poll(() => runs(pid)).toBe(false);
});

test('a start whose port was taken in between is repeated on another one', async () => {
  const taken: number[] = [];
  const blocker = createServer();
  const { port, started } = await onFreePort(async (candidate) => {
    taken.push(candidate);
    if (taken.length > 1)
      return startGuarded({
        command: 'sh',
        args: ['-c', 'echo ready; exec sleep 1000'],
        isReady: (output) => output.includes('ready'),
        endSignal: 'TERM',
      });
    await new Promise<void>((resolve) => blocker.listen(candidate, '127.0.0.1', resolve));
    throw new Error('address in use');
  });
  await started.stop();
  blocker.close();
  expect(taken).toHaveLength(2);
  expect(port).toBe(taken[1]);
  await expect(onFreePort(() => Promise.reject(new Error('never')))).rejects.toThrow('never');
});

test('ports that are given out are free', async () => {
  const ports = await Promise.all(Array.from({ length: 5 }, () => freePort()));
  expect(new Set(ports).size).toBe(5);
});
