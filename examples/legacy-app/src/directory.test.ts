import { expect, it } from 'vitest';
import { authenticate, userNumber } from './directory.ts';

it('gives users different authorities that never change', () => {
  const users = Array.from({ length: 200 }, (_, n) => userNumber(n));
  expect(new Set(users.map((user) => JSON.stringify([user.roles, user.permissions]))).size).toBeGreaterThan(50);
  expect(new Set(users.map((user) => user.id)).size).toBe(200);
  expect(userNumber(62)).toEqual(userNumber(62));
});

it('knows a user by name and password only in the one spelling', () => {
  expect(authenticate('user12', 'pw-user12')).toEqual(userNumber(12));
  for (const name of ['user012', 'user-1', 'User12', 'user12 ', 'user', 12]) expect(authenticate(name, 'pw-user12')).toBeUndefined();
});
