import { randomUUID } from 'node:crypto';
import { expect, inject, it } from 'vitest';
import { describeApp } from './testing/app-suite.ts';
import { describeStatelessApp } from './testing/stateless-suite.ts';
import { startApp } from './testing/start-app.ts';

describeApp('the application on connect-redis', () => ({ LEGACY_SOURCE: inject('redisUrl'), LEGACY_KEY_PREFIX: `${randomUUID()}:` }));

describeStatelessApp('the application without sessions, its carts in Redis', () => ({
  LEGACY_SOURCE: inject('redisUrl'),
  LEGACY_KEY_PREFIX: `${randomUUID()}:`,
}));

it('reads identity headers behind a gateway', async () => {
  const app = await startApp({ LEGACY_SOURCE: inject('redisUrl'), LEGACY_KEY_PREFIX: `${randomUUID()}:`, LEGACY_TRUST_GATEWAY: '1' });
  try {
    const headers = { 'x-wherry-user-id': '10017', 'x-wherry-authorities': 'member region%3A%C3%B6sterreich', 'x-wherry-kind': 'jwt' };
    const answer = await fetch(`${app.url}/whoami`, { headers });
    expect(await answer.json()).toEqual({ userId: '10017', authorities: ['member', 'region:österreich'], kind: 'jwt' });
    expect((await fetch(`${app.url}/whoami`)).status).toBe(401);
  } finally {
    await app.stop();
  }
});
