import fc from 'fast-check';
import { expect, test } from 'vitest';
import { TrustedProxies, clientAddress } from '@wherry/http';
import { ClientAddresses } from './client-addresses.ts';

const proxies = new TrustedProxies(['loopback', '10.0.0.0/8']);
const peer = fc.constantFrom('127.0.0.1', '10.0.0.7', '203.0.113.9', '::ffff:10.1.1.1', '2001:db8:1:2::3', 'nonsense');
const line = fc.constantFrom(
  '198.51.100.1',
  '198.51.100.2, 10.0.0.1',
  'unknown',
  '',
  '10.0.0.1',
  `${'198.51.100.3,'.repeat(20)}198.51.100.4`,
);

test('an address that is remembered is the one that would be read anew, in whatever order requests come', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(peer, fc.array(line, { maxLength: 2 })), { maxLength: 60 }), (requests) => {
      const addresses = new ClientAddresses(proxies, undefined);
      for (const [remoteAddress, lines] of requests) {
        const rawHeaders = ['Host', 'x', ...lines.flatMap((text, at) => [at === 0 ? 'X-Forwarded-For' : 'x-forwarded-for', text])];
        const forwardedFor = lines.length === 0 ? undefined : lines.join(',');
        expect(addresses.of({ remoteAddress }, rawHeaders)).toBe(clientAddress({ peer: remoteAddress, forwardedFor }, proxies));
      }
    }),
  );
});

test('as many addresses as anybody likes to make up are not all remembered, and each is still told right', () => {
  const addresses = new ClientAddresses(proxies, undefined);
  for (let n = 0; n < 25_000; n++) {
    const client = `198.${18 + (n >> 16)}.${(n >> 8) & 255}.${n & 255}`;
    expect(addresses.of({ remoteAddress: '127.0.0.1' }, ['X-Forwarded-For', client])).toBe(client);
    expect(addresses.of({ remoteAddress: client }, [])).toBe(client);
  }
});
