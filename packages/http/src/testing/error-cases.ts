import { Readable } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import { WherryError } from '@wherry/core';
import { describe, expect, it } from 'vitest';
import type { JudgedPrincipalOptions } from '../admission.ts';
import { encodeIdentity } from '../identity-headers.ts';
import { requireAuthority } from '../principal-context.ts';
import { ask } from './ask.ts';
import { expectUnauthenticated } from './identity-cases.ts';
import { whoIs } from './looking-around.ts';
import type { Route, Serve } from './middleware-fixture.ts';

const get = (path: string, work: Route['work']): Route => ({ method: 'GET', path, work });
const as = (...authorities: string[]): Record<string, string> => ({ ...encodeIdentity({ userId: '1', authorities, kind: 'session' }) });

const torn = (error: Error): Route['work'] =>
  async function work({ response }) {
    response.writeHead(200, { 'content-type': 'text/plain' });
    await new Promise((resolve) => response.write('the first half', resolve));
    throw error;
  };

const ROUTES: readonly Route[] = [
  get('/who', () => whoIs()),
  get('/admin', () => requireAuthority('ROLE_ADMIN', 'write').userId),
  get('/api/deep/admin', () => requireAuthority('ROLE_ADMIN').userId),
  get('/late', async () => {
    await turn();
    throw new WherryError('conflict', 'somebody was faster');
  }),
  get('/busy', () => {
    throw new WherryError('draining', 'come back', { retryAfter: 7 });
  }),
  get('/tagged', ({ response }) => {
    response.setHeader('ETag', '"1"');
    response.setHeader('Content-Language', 'de');
    throw new WherryError('not_found', 'nothing here');
  }),
  get('/foreign', () => {
    throw new Error('not ours');
  }),
  get('/torn', torn(new WherryError('internal', 'too late'))),
  get('/torn-foreign', torn(new Error('too late'))),
  get('/broken-stream', () =>
    Readable.from(
      (async function* parts() {
        yield 'the first half';
        await turn();
        throw new WherryError('internal', 'too late');
      })(),
    ),
  ),
];

/** How errors leave a route. */
export function describeErrors(serve: Serve): void {
  describe('an error', () => {
    it('of ours is a problem document with its status, wherever it was thrown', async () => {
      await using serving = await serve({ principal: {}, routes: ROUTES });
      const problem = async (path: string, headers = as()): Promise<unknown> => {
        const reply = await ask(serving.port, { path, headers });
        expect(reply.headers['content-type']).toBe('application/problem+json');
        expect(reply.headers['content-length']).toBe(String(Buffer.byteLength(reply.text)));
        const body = JSON.parse(reply.text) as { status: number; code: string; detail: string };
        expect(body.status).toBe(reply.status);
        return { ...reply.headers, ...body };
      };
      expect(await problem('/admin', as('ROLE_ADMIN'))).toMatchObject({ code: 'forbidden', detail: 'this needs the authority write' });
      expect(await problem('/admin', as('ROLE_ADMIN'))).not.toHaveProperty('www-authenticate');
      expect(await problem('/api/deep/admin')).toMatchObject({ code: 'forbidden' });
      expect(await problem('/late')).toMatchObject({ code: 'conflict', 'cache-control': 'no-store' });
      expect(await problem('/busy')).toMatchObject({ code: 'draining', 'retry-after': '7' });
      expect(await problem('/tagged')).toMatchObject({ code: 'not_found' });
      expect(await problem('/tagged')).not.toHaveProperty('etag');
      expect(await problem('/tagged')).not.toHaveProperty('content-language');
      expect((await ask(serving.port, { path: '/admin', headers: as('write', 'ROLE_ADMIN') })).status).toBe(200);
    });

    it('of ours to nobody names no error of a credential that was not there', async () => {
      await using serving = await serve({ principal: { required: false }, routes: ROUTES });
      expectUnauthenticated(await ask(serving.port, { path: '/admin' }), 'Bearer');
      expectUnauthenticated(await ask(serving.port, { path: '/api/deep/admin' }), 'Bearer');
    });

    it('of somebody else goes the way of the framework', async () => {
      await using serving = await serve({ principal: {}, routes: ROUTES });
      const { status, headers } = await ask(serving.port, { path: '/foreign', headers: as() });
      expect(status).toBe(500);
      expect(headers['content-type']).not.toContain('problem');
    });

    it.each(['/torn', '/torn-foreign', '/broken-stream'])('after the head of the answer cuts the connection: %s', async (path) => {
      await using serving = await serve({ principal: {}, routes: ROUTES });
      const reply = await ask(serving.port, { path, headers: as() });
      expect(reply).toMatchObject({ status: 200, text: 'the first half', whole: false });
      expect((await ask(serving.port, { headers: as() })).status).toBe(200);
    });
  });

  describe('a judge of the application', () => {
    const judged: JudgedPrincipalOptions = {
      judge: async ({ headers }) => {
        await turn();
        if (headers.authorization === undefined) return undefined;
        if (headers.authorization === 'Bearer down') throw new Error('the store is away');
        if (headers.authorization !== 'Bearer good') throw new WherryError('token_expired', 'it has expired');
        return { userId: '7', authorities: ['ROLE_ADMIN'], kind: 'jwt' };
      },
    };
    const bearer = (token: string): Record<string, string> => ({ authorization: `Bearer ${token}` });

    it('says who is calling, and the identity headers nothing', async () => {
      await using serving = await serve({ principal: judged, routes: ROUTES });
      const reply = await ask(serving.port, { headers: { ...as('ROLE_ADMIN'), ...bearer('good') } });
      expect([reply.status, reply.text]).toEqual([200, '"7"']);
      expect((await ask(serving.port, { path: '/api/deep/admin', headers: bearer('good') })).status).toBe(200);
      expectUnauthenticated(await ask(serving.port, { headers: as('ROLE_ADMIN') }), 'Bearer');
    });

    it('refuses with its own code, and its faults go the way of the framework', async () => {
      for (const required of [true, false]) {
        await using serving = await serve({ principal: { ...judged, required }, routes: ROUTES });
        const refused = await ask(serving.port, { headers: bearer('old') });
        expect([refused.status, refused.headers['www-authenticate']]).toEqual([401, 'Bearer error="invalid_token"']);
        expect(JSON.parse(refused.text)).toMatchObject({ code: 'token_expired' });
        expect((await ask(serving.port, { headers: bearer('down') })).status).toBe(500);
        expect((await ask(serving.port, {})).status).toBe(required ? 401 : 200);
      }
    });
  });
}
