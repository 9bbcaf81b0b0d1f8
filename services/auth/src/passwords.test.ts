import { isWherryError } from '@wherry/core';
import fc from 'fast-check';
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
    const calls = Array.from({ length: 9 }, async () => passwords.matches(undefined, 'password'));
    expect(passwords.waiting).toBe(3);
    const ends = await Promise.allSettled(calls);
    const turnedAway = ends.filter((end) => end.status === 'rejected' && isWherryError(end.reason, 'passwords_busy'));
    expect([turnedAway.length, passwords.computed, passwords.waiting]).toEqual([4, 5, 0]);
    await passwords.hash('afterwards there is room');
  });

  it('that are new take half of the turns and half of the line, and log-ins the rest', async () => {
    const passwords = new Passwords({ ...CHEAP, concurrency: 2, maxWaiting: 4 });
    const ended: string[] = [];
    const noted = async (name: string, work: Promise<unknown>): Promise<void> => {
      await work;
      ended.push(name);
    };
    const made = Array.from({ length: 9 }, async () => noted('new', passwords.hash('password')));
    // One is computed, two wait, though a turn is free.
    expect([passwords.computed, passwords.waiting]).toEqual([1, 2]);
    const checks = Array.from({ length: 3 }, async () => noted('check', passwords.matches(undefined, 'password')));
    expect([passwords.computed, passwords.waiting]).toEqual([2, 4]);
    expect(() => passwords.checkRoom('check')).toThrow(expect.objectContaining({ code: 'passwords_busy' }));
    const ends = await Promise.allSettled([...made, ...checks]);
    expect(ends.filter(({ status }) => status === 'rejected')).toHaveLength(6);
    expect(ended.filter((name) => name === 'check')).toHaveLength(3);
    expect(() => passwords.checkRoom('check')).not.toThrow();
  });

  it('wait their turn, and none for ever, whatever comes in which order', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.boolean(), { maxLength: 20 }), fc.integer({ min: 1, max: 4 }), async (kinds, concurrency) => {
        const passwords = new Passwords({ ...CHEAP, concurrency, maxWaiting: 100 });
        await Promise.all(kinds.map((isNew) => (isNew ? passwords.hash('password') : passwords.matches(undefined, 'password'))));
        expect([passwords.computed, passwords.waiting]).toEqual([kinds.length, 0]);
      }),
      { numRuns: 20 },
    );
  });

  it('that cannot be checked leave the line going', async () => {
    const passwords = new Passwords({ ...CHEAP, concurrency: 1 });
    const broken = passwords.matches('not a hash', 'password');
    const next = passwords.hash('password');
    await expect(broken).rejects.toThrow();
    expect(await next).toContain('argon2id');
  });
});
