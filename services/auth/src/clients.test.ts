import { isWherryError } from '@wherry/core';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ANONYMOUS_CLIENT, Clients, type AuthClient } from './clients.ts';

const basic = (id: string, secret: string): string => `Basic ${Buffer.from(`${id}:${secret}`).toString('base64')}`;
const codeOf = (work: () => unknown): string => {
  try {
    work();
    return 'done';
  } catch (error) {
    return isWherryError(error) ? error.code : String(error);
  }
};

const clients = new Clients([{ id: 'shop', secret: 'cö:mpl+ex %' }, { id: 'page' }, { id: 'ops', secret: 'x', operator: true }], 'operate');

describe('clients', () => {
  it('prove who they are by id and secret, form-encoded', () => {
    const encoded = new URLSearchParams({ s: 'cö:mpl+ex %' }).toString().slice(2);
    expect(clients.authenticate(basic('shop', encoded)).id).toBe('shop');
    expect(clients.authenticate(basic('ops', 'x')).operator).toBe(true);
  });

  it('of any secret are told from those of another', () => {
    const text = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 30 });
    fc.assert(
      fc.property(text, text, (secret, other) => {
        const known = new Clients([{ id: 'a', secret }]);
        expect(codeOf(() => known.authenticate(basic('a', encodeURIComponent(secret))))).toBe('done');
        if (other !== secret)
          expect(codeOf(() => known.authenticate(basic('a', encodeURIComponent(other))))).toBe('client_unauthenticated');
      }),
    );
  });

  it.each([
    basic('shop', 'wrong'),
    basic('shop', ''),
    basic('nobody', 'x'),
    basic('nobody', ''),
    basic('page', ''),
    basic('', ''),
    'Basic',
    'Basic ####',
    'Basic c2hvcA==',
    `Basic ${Buffer.from('shop:%zz').toString('base64')}`,
    'Bearer operate',
  ])('are refused by %j', (header) => {
    expect(codeOf(() => clients.authenticate(header))).toBe('client_unauthenticated');
  });

  it('that only say their name are the public ones', () => {
    expect([clients.named('page').id, clients.named(undefined).id]).toEqual(['page', ANONYMOUS_CLIENT]);
    expect([codeOf(() => clients.named('shop')), codeOf(() => clients.named('none'))]).toEqual(Array(2).fill('client_unauthenticated'));
  });

  it('are not the operator, who has one secret or none', () => {
    expect([clients.isOperatorSecret('operate'), clients.isOperatorSecret('operat'), clients.isOperatorSecret('')]).toEqual([
      true,
      false,
      false,
    ]);
    expect([new Clients([]).isOperatorSecret(''), new Clients([]).isOperatorSecret('operate')]).toEqual([false, false]);
  });

  it.each<[readonly AuthClient[], string | undefined]>([
    [[{ id: '' }], undefined],
    [[{ id: 'a:b' }], undefined],
    [[{ id: 'a' }, { id: 'a' }], undefined],
    [[{ id: 'a', secret: '' }], undefined],
    [[{ id: 'a', operator: true }], undefined],
    [[], ''],
  ])('are refused as configuration: %j %j', (list, operator) => {
    expect(codeOf(() => new Clients(list, operator))).toBe('config_invalid');
  });
});
