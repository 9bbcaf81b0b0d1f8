import fc from 'fast-check';
import { expect, test } from 'vitest';
import { TrustedProxies, countedAddress } from './client-address.ts';

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
])('log-ins from %s are counted under %s', (address, counted) => {
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
