import { WherryError } from '@wherry/core';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, it } from 'vitest';
import { sendProblem, type ProblemOptions } from './problem-response.ts';

async function answer(
  error: unknown,
  options?: ProblemOptions,
  before?: (response: ServerResponse) => void,
  method = 'GET',
): Promise<Response> {
  const server = createServer((_request, response) => {
    before?.(response);
    sendProblem(response, error, options);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  try {
    const response = await fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`, { method });
    return new Response(method === 'HEAD' ? null : await response.text(), { status: response.status, headers: response.headers });
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

describe('sendProblem', () => {
  it('answers the problem document of an error with a code', async () => {
    const response = await answer(new WherryError('not_found', 'no such thing', { data: { secret: 'x' } }));
    expect(response.status).toBe(404);
    expect(response.headers.get('content-type')).toBe('application/problem+json');
    expect(response.headers.get('cache-control')).toBe('no-store');
    expect(await response.json()).toEqual({
      type: 'urn:wherry:error:not_found',
      status: 404,
      code: 'not_found',
      title: 'Nothing is there under this name.',
      detail: 'no such thing',
    });
  });

  it('tells nothing of an error that is not ours', async () => {
    const response = await answer(new Error('password=hunter2'));
    expect(response.status).toBe(500);
    expect(await response.text()).not.toContain('hunter2');
  });

  it('says when to come back', async () => {
    expect((await answer(new WherryError('draining', 'x'))).headers.get('retry-after')).toBe('1');
    expect((await answer(new WherryError('draining', 'x', { retryAfter: 2.2 }))).headers.get('retry-after')).toBe('3');
    expect((await answer(new WherryError('not_found', 'x'))).headers.get('retry-after')).toBeNull();
  });

  it('challenges on 401 only, and names an error only where a credential was presented', async () => {
    const error = new WherryError('unauthenticated', 'x');
    expect((await answer(error)).headers.get('www-authenticate')).toBe('Bearer error="invalid_token"');
    expect((await answer(error, { credentialPresented: false })).headers.get('www-authenticate')).toBe('Bearer');
    expect((await answer(new WherryError('forbidden', 'x'))).headers.get('www-authenticate')).toBeNull();
  });

  it('takes back what the route had said of its own body', async () => {
    const response = await answer(new WherryError('conflict', 'x'), {}, (mine) => {
      mine.setHeader('Content-Encoding', 'gzip');
      mine.setHeader('Content-Length', 3);
      mine.setHeader('ETag', '"1"');
      mine.setHeader('X-Request-Id', 'r1');
    });
    expect(await response.json()).toMatchObject({ code: 'conflict' });
    expect(response.headers.get('etag')).toBeNull();
    expect(response.headers.get('x-request-id')).toBe('r1');
  });

  it('answers HEAD without a body', async () => {
    const response = await answer(new WherryError('not_found', 'x'), {}, undefined, 'HEAD');
    expect(response.status).toBe(404);
  });

  it('cuts an answer that had begun', async () => {
    await expect(answer(new WherryError('internal', 'x'), {}, (mine) => void mine.write('half'))).rejects.toThrow();
  });
});
