import { applySchema, coreSchema, type Database } from '@wherry/core/control';
import { createControlDatabase, type ControlDatabase } from '@wherry/core/testing';
import { ClientUsage, rolloutSchema } from '@wherry/rollout';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { run } from '../testing/recording-terminal.ts';

let home: ControlDatabase;
let database: Database;
beforeAll(async () => {
  home = await createControlDatabase(inject('postgresUrl'));
  ({ database } = home);
});
afterAll(() => home[Symbol.asyncDispose]());

const wherry = async (line: string): Promise<string> => {
  const { code, out, err } = await run(line, { WHERRY_CONTROL_URL: home.url });
  expect({ code, err }).toEqual({ code: 0, err: '' });
  return out;
};

describe('wherry clients', () => {
  it('says that nothing has been seen, and that nobody looks', async () => {
    expect((await run('clients', { WHERRY_CONTROL_URL: home.url })).code).toBe(1);
    await applySchema(database, [coreSchema, rolloutSchema]);
    expect(await wherry('clients')).toBe('no client has been seen yet\nsession credentials: last used never, observed since never');
  });

  it('has one line for each version of a client, those first that used a session credential last', async () => {
    let now = 1_767_225_600_000;
    const usage = new ClientUsage({ database, instanceId: () => 'i-1', role: 'gateway', now: () => now });
    await usage.run();
    const used = (clientId: string, version: string, kind: 'jwt' | 'session_token' | 'cookie', after: number): void =>
      usage.of({ clientId, version }, kind).use((now += after));
    used('web', '', 'cookie', 1000);
    used('web', '', 'session_token', 1000);
    used('web', '', 'jwt', 1000);
    used('ios', '4.2', 'session_token', 1000);
    used('ios', '5.0', 'jwt', 1000);
    await usage.stop();
    expect((await wherry('clients')).split('\n').map((line) => line.replaceAll(/ {2,}/g, ' | '))).toEqual([
      'client | version | session last used | requests | JWT last used | requests',
      'ios | 4.2 | 2026-01-01T00:00:04.000Z | 1 | never | 0',
      'web | - | 2026-01-01T00:00:02.000Z | 2 | 2026-01-01T00:00:03.000Z | 1',
      'ios | 5.0 | never | 0 | 2026-01-01T00:00:05.000Z | 1',
      'session credentials: last used 2026-01-01T00:00:04.000Z, observed since 2026-01-01T00:00:00.000Z',
    ]);
    const { clients, silent } = JSON.parse(await wherry('clients --json')) as { clients: unknown[]; silent: unknown };
    expect([clients.length, clients[0], silent]).toEqual([
      3,
      { clientId: 'ios', version: '4.2', lastSession: 1_767_225_604_000, lastJwt: null, sessionRequests: 1, jwtRequests: 0 },
      [],
    ]);
  });
});
