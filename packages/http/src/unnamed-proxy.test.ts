import { silentLogger, systemClock, type Logger } from '@wherry/core';
import { expect, test } from 'vitest';
import { TrustedProxies } from './client-address.ts';
import { UnnamedProxy } from './unnamed-proxy.ts';

test('a proxy that was not named is told of once an hour, one that was named and a plain client never', () => {
  const told: unknown[] = [];
  const log: Logger = { ...silentLogger, warn: (_message, fields) => void told.push(fields?.['peer']) };
  let now = 0;
  const clock = { ...systemClock, monotonic: () => now };
  const hint = new UnnamedProxy({ proxies: new TrustedProxies(['loopback']), setting: 'here', log, clock });
  const request = (peer: string, forwarded?: string): void => {
    hint.notice({ peer, forwardedFor: forwarded });
  };
  request('127.0.0.1', '203.0.113.7');
  request('10.0.0.5');
  expect(told).toEqual([]);
  for (let n = 0; n < 5; n++) request('10.0.0.5', '203.0.113.7');
  expect(told).toEqual(['10.0.0.5']);
  now += 3_600_000;
  request('10.0.0.6', '203.0.113.7');
  expect(told).toEqual(['10.0.0.5', '10.0.0.6']);
});
