import type { Clock } from '@wherry/core';
import fc from 'fast-check';
import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { encodeIdentity } from './identity-headers.ts';
import { IdentitySigner } from './identity-signature.ts';

const secret = randomBytes(32);
const at = 1_800_000_000_000;
const clockAt = (now: number): Clock => ({ now: () => now, monotonic: () => now });
const signer = (now: number = at, secrets: readonly (string | Uint8Array)[] = [secret]): IdentitySigner =>
  new IdentitySigner({ secrets, clock: clockAt(now) });
const headers = encodeIdentity({ userId: 'user 1', authorities: ['ROLE_A', 'read'], kind: 'jwt', sessionId: '77' });
const signed = { ...headers, 'x-wherry-signature': signer().sign(headers) };
const refused = expect.objectContaining({ code: 'unauthenticated' });

describe('identity signature', () => {
  it('is accepted for 30 seconds in both directions, no longer', () => {
    for (const age of [0, 1, 29_999, 30_000, -30_000]) expect(() => signer(at + age).verify(signed)).not.toThrow();
    for (const age of [30_001, -30_001, 86_400_000]) expect(() => signer(at + age).verify(signed)).toThrow(refused);
  });

  it('does not stand any change of any identity header', () => {
    for (const [name, value] of Object.entries({
      'x-wherry-user-id': 'user%202',
      'x-wherry-authorities': 'ROLE_A,read,ROLE_ADMIN',
      'x-wherry-kind': 'session',
      'x-wherry-session': '78',
      'x-wherry-client': 'other',
      'x-wherry-username': 'root',
    })) {
      expect(() => signer().verify({ ...signed, [name]: value })).toThrow(refused);
      if (name in headers) expect(() => signer().verify({ ...signed, [name]: undefined })).toThrow(refused);
    }
  });

  it('does not stand any change of itself', () => {
    const value = signed['x-wherry-signature'];
    fc.assert(
      fc.property(fc.nat(value.length - 1), fc.constantFrom(...Array.from('0123456789ABCabc-_,v')), (position, character) => {
        const altered = value.slice(0, position) + character + value.slice(position + 1);
        // The last of the 43 characters holds two bits that decode to nothing.
        fc.pre(altered !== value && position < value.length - 1);
        expect(() => signer().verify({ ...signed, 'x-wherry-signature': altered })).toThrow(refused);
      }),
    );
    for (const other of [undefined, '', 'v1', `v2${value.slice(2)}`, `${value}, ${value}`, ` ${value}`, value.replace(/\d{13}/, '1e12')]) {
      expect(() => signer().verify({ ...signed, 'x-wherry-signature': other })).toThrow(refused);
    }
  });

  it('is not accepted under another secret, and lets a secret be replaced without a gap', () => {
    const next = 'n'.repeat(32);
    expect(() => signer(at, [next]).verify(signed)).toThrow(refused);
    expect(() => signer(at, [next, secret]).verify(signed)).not.toThrow();
    const byNext = { ...headers, 'x-wherry-signature': signer(at, [next, secret]).sign(headers) };
    expect(() => signer(at, [secret]).verify(byNext)).toThrow(refused);
    expect(() => signer(at, [secret, next]).verify(byNext)).not.toThrow();
  });

  it('asks for a secret of 32 bytes and tells nothing of it', () => {
    for (const secrets of [[], ['tooshort-visible'], [secret, new Uint8Array(31)]]) {
      expect(() => signer(at, secrets)).toThrow(
        expect.objectContaining({ code: 'config_invalid', message: expect.not.stringContaining('visible') as string }),
      );
    }
  });
});
