import { randomBytes } from 'node:crypto';
import { expect, inject, test } from 'vitest';
import { MOST_CART_ITEMS } from './answers.ts';
import { openCarts } from './carts.ts';

test('a cart in MongoDB grows, and keeps no more than the newest items', async () => {
  const url = `${inject('mongoUrl')}carts_${randomBytes(4).toString('hex')}`;
  const carts = await openCarts({ source: { kind: 'mongodb', url, stringify: true }, keyPrefix: 'a:' });
  try {
    for (let n = 1; n <= MOST_CART_ITEMS + 2; n++) expect(await carts.add('ada', `item ${n}`)).toBe(Math.min(n, MOST_CART_ITEMS));
    expect(await carts.add('grace', 'item')).toBe(1);
  } finally {
    await carts.close();
  }
});
