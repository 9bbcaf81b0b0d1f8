import { PATIENT_MS } from '@wherry/embedded/testing';
import { randomBytes } from 'node:crypto';
import { createClient } from 'redis';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { springRedis } from '../../legacy/spring/formats.ts';
import type { IdentityMapping } from '../../legacy/identity-mapping.ts';
import { springDecoder } from '../../legacy/spring/spring-decoder.ts';
import type { SourceStore } from '../../source/contract.ts';
import { describeSourceConformance } from '../../testing/source-conformance.ts';
import { HOUR, newRawId, present, read } from '../../testing/source-fixture.ts';
import { createSpringRedisSource } from './source.ts';
import { peerFixture } from './testing/peer-fixture.ts';
import { longField, valueOfText, type Values } from './testing/session-values.ts';
import { buildSpring, startSpring, type SpringProcess } from './testing/spring-process.ts';

/** Needs Java, Maven and its repository, and half a minute more: asked for by the environment. */
const isAsked = process.env['WHERRY_TEST_SPRING'] === '1';
const url = new URL(inject('redisUrl'));
url.pathname = '/9';
const decode = springDecoder({ identity: springRedis.identity as IdentityMapping });

describe.runIf(isAsked)('Spring itself', () => {
  let program: ReturnType<typeof buildSpring>;
  beforeAll(() => {
    program = buildSpring();
  }, 600_000);
  afterAll(() => program.remove());

  const combinations = [
    [true, 'jdk'],
    [true, 'json'],
    [false, 'jdk'],
    [false, 'json'],
  ] as const;

  for (const [indexed, values] of combinations) {
    const name = `${indexed ? 'indexed' : 'one hash for each'}, ${values}`;
    const open = (namespace: string): Promise<SpringProcess> => startSpring(program.classPath, url.href, namespace, indexed, values);
    describeSourceConformance(`${name},`, () => peerFixture(url.href, indexed, values, open), { maxValueBytes: 400_000 });

    describe(name, () => {
      let spring: SpringProcess;
      let source: SourceStore;
      const namespace = randomBytes(6).toString('hex');
      beforeAll(async () => {
        spring = await open(namespace);
        source = createSpringRedisSource({ url: url.href, prefix: `${namespace}:sessions:`, indexed, timeoutMs: PATIENT_MS });
      });
      afterAll(async () => {
        await source.close();
        await spring.close();
      });

      test('a session that it signed in to is carried, removed, and put back: it is signed in again', async () => {
        const id = newRawId();
        await spring.signIn(id, 'ada');
        const session = present(await read(source, id));
        expect(decode(session.value)).toMatchObject({ ok: true, session: { userId: 'ada', authorities: ['ROLE_USER'] } });
        await source.touch(id, 0, 0);
        expect(await spring.look(id)).toMatchObject({ found: false });
        await source.put(id, session.value, session.readAt + HOUR, { epoch: 1, n: 1 });
        const back = await spring.look(id);
        expect(back).toMatchObject({ found: true, user: 'ada', seconds: 1800 });
        expect(back.attributes?.toSorted()).toEqual(['SPRING_SECURITY_CONTEXT', 'text']);
        if (indexed) expect(await spring.byUser('ada')).toEqual([id]);
      });

      test('a session that was touched here lives on there, and its next access is as any other', async () => {
        const id = newRawId();
        await spring.set(id, 'x', 1800);
        await source.touch(id, 2 * HOUR, 0);
        expect(await spring.look(id)).toMatchObject({ found: true, text: 'x' });
        await spring.touch(id, 600);
        const { expireTime, readAt } = present(await read(source, id));
        expect(present(expireTime) - readAt).toBeLessThanOrEqual(600_000);
        expect(present(expireTime) - readAt).toBeGreaterThan(500_000);
      });

      test('an ended session is not there for it, also after a late access', async () => {
        const id = newRawId();
        await spring.signIn(id, 'grace');
        await source.end(id, HOUR, 0);
        expect(await spring.look(id)).toMatchObject({ found: false });
        if (indexed) {
          await lateAccess(`${namespace}:sessions:${id}`, values);
          expect(await spring.look(id)).toMatchObject({ found: false });
          expect(await spring.byUser('grace')).toEqual([]);
        }
        expect(await read(source, id)).toMatchObject({ ended: true });
      });

      test('a session without an end stays one for it, and after its next access', async () => {
        const id = newRawId();
        await source.put(id, valueOfText(values, 'for ever'), null, { epoch: 1, n: 1 });
        expect(await spring.look(id)).toMatchObject({ found: true, text: 'for ever' });
        await spring.set(id, 'still', 2_147_483_647);
        expect(await spring.look(id)).toMatchObject({ found: true, text: 'still' });
      });
    });
  }
});

/** What a request that had read the session before its end writes after it. */
async function lateAccess(key: string, values: Values): Promise<void> {
  const client = await createClient({ url: url.href }).connect();
  await client.hSet(key, { lastAccessedTime: longField(values, BigInt(Date.now())) });
  await client.close();
}
