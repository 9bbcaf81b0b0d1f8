import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { TrustedProxies, clientAddress, countedAddress } from './client-address.ts';

const none = new TrustedProxies([]);

test.each([
  ['203.0.113.7', '203.0.113.7'],
  ['::ffff:203.0.113.7', '203.0.113.7'],
  ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2'],
  ['2001:DB8:1:2::', '2001:db8:1:2'],
  ['2001:db8::1', '2001:db8:0:0'],
  ['::1', '0:0:0:0'],
  ['fe80::1%eth0', 'fe80:0:0:0'],
  ['64:ff9b::203.0.113.7', '64:ff9b:0:0'],
  ['unknown', undefined],
  ['', undefined],
  ['203.0.113.7:80', '203.0.113.7'],
  ['[2001:db8:1:2::5]:443', '2001:db8:1:2'],
  ['[2001:db8:1:2::5]', '2001:db8:1:2'],
  ['[::ffff:203.0.113.7]:80', '203.0.113.7'],
  ['203.0.113.7:port', undefined],
  ['203.0.113.777:80', undefined],
  ['[203.0.113.7', undefined],
  ['[]:80', undefined],
])('requests from %s are counted under %s', (address, counted) => {
  expect(countedAddress(address, none)).toBe(counted);
});

test('a proxy that does not say whom it stands for is not counted as a client', () => {
  const proxies = new TrustedProxies(['loopback', '10.1.0.0/16', '192.0.2.9', '2001:db8::/32']);
  for (const ours of [
    '127.0.0.1',
    '::1',
    '::ffff:127.0.0.1',
    '10.1.200.3',
    '10.1.200.3:4711',
    '192.0.2.9',
    '2001:db8:ffff::1',
    '[2001:db8::7]:4711',
  ])
    expect(countedAddress(ours, proxies)).toBeUndefined();
  for (const other of ['10.2.0.1', '192.0.2.8', '2001:db9::1']) expect(countedAddress(other, proxies)).toBeDefined();
  expect(new TrustedProxies(['private']).has('192.168.3.4')).toBe(true);
  expect(new TrustedProxies(['private']).has('8.8.8.8')).toBe(false);
});

test.each(['everyone', '10.0.0.0/33', '10.0.0.0/', '::1/129', '300.1.1.1', ''])('%j is no proxy to trust', (entry) => {
  expect(() => new TrustedProxies([entry])).toThrow(expect.objectContaining({ code: 'config_invalid' }));
});

test('addresses of one IPv6 network are counted as one, those of two as two', () => {
  fc.assert(
    fc.property(
      fc.array(fc.nat(0xffff), { minLength: 8, maxLength: 8 }),
      fc.array(fc.nat(0xffff), { minLength: 8, maxLength: 8 }),
      (a, b) => {
        const text = (groups: readonly number[]): string => groups.map((group) => group.toString(16)).join(':');
        const counted = (groups: readonly number[]): string | undefined => countedAddress(text(groups), none);
        fc.pre(!text(a).startsWith('0:0:0:0:0:ffff') && !text(b).startsWith('0:0:0:0:0:ffff'));
        expect(counted([...a.slice(0, 4), ...b.slice(4)])).toBe(text(a.slice(0, 4)));
        expect(counted(a) === counted(b)).toBe(text(a.slice(0, 4)) === text(b.slice(0, 4)));
      },
    ),
  );
});

describe('the client of a request', () => {
  const proxies = new TrustedProxies(['loopback', '10.0.0.0/8']);
  test.each([
    // A peer that is not ours is the client, whatever it writes.
    ['203.0.113.9', '198.51.100.1', '203.0.113.9'],
    ['203.0.113.9', undefined, '203.0.113.9'],
    // One of ours speaks for another, the nearest that is not ours.
    ['127.0.0.1', '203.0.113.7', '203.0.113.7'],
    ['::ffff:127.0.0.1', '203.0.113.7:4711', '203.0.113.7'],
    ['127.0.0.1', '198.51.100.1, 203.0.113.7, 10.0.0.3,10.0.0.4', '203.0.113.7'],
    ['127.0.0.1', ' 2001:db8:1:2:3::4 ', '2001:db8:1:2'],
    // It does not say whom, or nobody can tell.
    ['127.0.0.1', undefined, undefined],
    ['127.0.0.1', '', undefined],
    ['127.0.0.1', ',', undefined],
    ['127.0.0.1', '203.0.113.7,', undefined],
    ['127.0.0.1', '203.0.113.7, unknown', undefined],
    ['127.0.0.1', '10.0.0.3, 10.0.0.4', undefined],
    [undefined, '203.0.113.7', undefined],
  ])('%s with %j is %j', (peer, forwardedFor, address) => {
    expect(clientAddress({ peer, forwardedFor }, proxies)).toBe(address);
  });

  test('is never one that the client has written, and a long header costs a few steps', () => {
    const address = fc.ipV4().filter((text) => !proxies.has(text));
    fc.assert(
      fc.property(
        fc.string(),
        address,
        fc.array(fc.constantFrom('10.1.1.1', '127.0.0.9', '::1'), { maxLength: 5 }),
        (written, client, hops) => {
          const forwardedFor = [written, client, ...hops].join(', ');
          expect(clientAddress({ peer: '10.9.9.9', forwardedFor }, proxies)).toBe(client);
        },
      ),
    );
    let asked = 0;
    class Counting extends TrustedProxies {
      override has(one: string): boolean {
        asked++;
        return super.has(one);
      }
    }
    expect(clientAddress({ peer: '10.9.9.9', forwardedFor: '10.0.0.1,'.repeat(5000) }, new Counting(['10.0.0.0/8']))).toBeUndefined();
    expect(asked).toBeLessThan(40);
  });
});
