import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ClientNaming } from './client-naming.ts';

const naming = new ClientNaming({
  clients: ['web', 'shop-ios'],
  userAgents: [
    { product: 'ShopApp', client: 'shop-ios' },
    { product: 'curl', client: 'scripts' },
  ],
});

describe('the name of a client', () => {
  it.each([
    [['X-Client-Id', 'web', 'x-client-version', '1.0'], undefined, { clientId: 'web', version: '1.0' }],
    [['x-client-id', 'stranger'], undefined, { clientId: 'public', version: '' }],
    [['User-Agent', 'ShopApp/4.2 (iPhone) CFNetwork/1'], undefined, { clientId: 'shop-ios', version: '4.2' }],
    [['User-Agent', 'Mozilla/5.0 ShopApp/4.3'], undefined, { clientId: 'shop-ios', version: '4.3' }],
    [['User-Agent', 'ShopAppX/4.2'], undefined, { clientId: 'public', version: '' }],
    [['User-Agent', 'curl/8.1'], 'web', { clientId: 'web', version: '' }],
    [['x-client-id', 'shop-ios', 'x-client-version', '7'], 'web', { clientId: 'web', version: '7' }],
    [['x-client-version', 'a b'], 'web', { clientId: 'web', version: '' }],
    [['User-Agent', `ShopApp/${'9'.repeat(40)}`], undefined, { clientId: 'shop-ios', version: '' }],
  ])('of %j with %s', (headers, known, expected) => {
    expect(naming.name(headers, known)).toEqual(expected);
  });

  it('is bounded, whatever a client sends', () => {
    const allowed = new Set(['web', 'shop-ios', 'scripts', 'public']);
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.constantFrom('x-client-id', 'x-client-version', 'user-agent', 'accept'), fc.string())), (pairs) => {
        const { clientId, version } = naming.name(pairs.flat(), undefined);
        expect(allowed.has(clientId)).toBe(true);
        expect(version).toMatch(/^[\w.+-]{0,32}$/);
      }),
    );
  });
});
