import { isWherryError } from '@wherry/core';
import { describe, expect, it } from 'vitest';
import { Passwords } from './passwords.ts';

const CHEAP = { memoryKib: 64, passes: 1 };

describe('passwords', () => {
  it('are hashed with the parameters of OWASP and a salt of their own', async () => {
    const passwords = new Passwords();
    const [one, two] = [await passwords.hash('correct horse'), await passwords.hash('correct horse')];
    expect(one).toMatch(/^\$argon2id\$v=19\$m=19456,t=2,p=1\$/);
    expect(one).not.toBe(two);
    expect(await passwords.matches(one, 'correct horse')).toBe(true);
    expect(await passwords.matches(one, 'correct hors')).toBe(false);
  });

  it('are the same however their letters were composed', async () => {
    const passwords = new Passwords(CHEAP);
    expect(await passwords.matches(await passwords.hash('caf\u00e9 cr\u00e8me'), 'cafe\u0301 cre\u0300me')).toBe(true);
  });

  it('cost the same for a user who does not exist, and never match', async () => {
    const passwords = new Passwords(CHEAP);
    expect(await passwords.matches(undefined, 'nobody has this password')).toBe(false);
    expect(passwords.computed).toBe(1);
  });

  it('wait in a short line, and what is beyond it is turned away at once', async () => {
    const passwords = new Passwords({ ...CHEAP, concurrency: 2, maxWaiting: 3 });
    const calls = Array.from({ length: 9 }, async () => passwords.hash('password'));
    expect(passwords.waiting).toBe(3);
    const ends = await Promise.allSettled(calls);
    const turnedAway = ends.filter((end) => end.status === 'rejected' && isWherryError(end.reason, 'passwords_busy'));
    expect([turnedAway.length, passwords.computed, passwords.waiting]).toEqual([4, 5, 0]);
    await passwords.hash('afterwards there is room');
  });

  it('that cannot be checked leave the line going', async () => {
    const passwords = new Passwords({ ...CHEAP, concurrency: 1 });
    const broken = passwords.matches('not a hash', 'password');
    const next = passwords.hash('password');
    await expect(broken).rejects.toThrow();
    expect(await next).toContain('argon2id');
  });
});
