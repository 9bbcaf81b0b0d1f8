import { describe, expect, it } from 'vitest';
import {
  currentCallers,
  currentIdentity,
  currentPrincipal,
  requireAuthority,
  requirePrincipal,
  runWithIdentity,
  runWithPrincipal,
} from './principal-context.ts';
import type { Principal } from './principal.ts';

const outer: Principal = { userId: 'o', authorities: ['read'], kind: 'jwt' };
const whoIs = (): string => currentPrincipal()?.userId ?? 'nobody';

describe('the present principal', () => {
  it('nests: an inner principal ends with its work', () => {
    runWithPrincipal(outer, () => {
      expect(runWithPrincipal({ ...outer, userId: 'i' }, whoIs)).toBe('i');
      expect(runWithPrincipal(undefined, whoIs)).toBe('nobody');
      expect(() => runWithPrincipal(undefined, requirePrincipal)).toThrow(expect.objectContaining({ code: 'unauthenticated' }));
      expect(whoIs()).toBe('o');
    });
    expect(whoIs()).toBe('nobody');
  });

  it('that an application sets itself changes nothing of the way on which the request came', () => {
    const identity = { principal: outer, callers: ['orders'], provedAt: 1 };
    runWithIdentity(identity, () => {
      expect(runWithPrincipal({ ...outer, userId: 'i' }, currentIdentity)).toMatchObject({ callers: ['orders'], provedAt: undefined });
      // The same one is no younger for it.
      expect(runWithPrincipal(outer, currentIdentity)).toEqual(identity);
      expect(runWithPrincipal(undefined, () => runWithPrincipal(outer, currentCallers))).toEqual(['orders']);
    });
    expect(runWithPrincipal(outer, currentCallers)).toEqual([]);
  });

  it('has all authorities that are asked for, or it is named which one is missing', () => {
    runWithPrincipal({ ...outer, authorities: ['read', 'write'] }, () => {
      expect(requireAuthority('write', 'read').userId).toBe('o');
      expect(() => requireAuthority('read', 'admin')).toThrow(expect.objectContaining({ code: 'forbidden', data: { authority: 'admin' } }));
    });
    expect(() => requireAuthority('read')).toThrow(expect.objectContaining({ code: 'unauthenticated' }));
  });
});
