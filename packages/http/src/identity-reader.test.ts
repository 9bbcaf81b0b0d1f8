import { isWherryError, type Clock } from '@wherry/core';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { callKey } from './call-chain.ts';
import { encodeIdentity } from './identity-headers.ts';
import { identityReader } from './identity-reader.ts';
import { IdentitySigner } from './identity-signature.ts';
import { runWithIdentity, type RequestIdentity } from './principal-context.ts';
import { propagatePrincipal } from './principal-propagation.ts';
import type { Principal } from './principal.ts';

const now = 1_800_000_000_000;
const clock: Clock = { now: () => now, monotonic: () => now };
const secret = 'of the gateway, 32 bytes at least';
const own = 'of orders alone, 32 bytes at least';
const callers = { orders: callKey(own, { from: 'orders', to: 'billing' }) };
const read = identityReader({ secret, callers, clock });

const ann: Principal = { userId: 'ann', authorities: ['read'], kind: 'jwt', sessionId: '1', clientId: 'web', username: 'Ann' };
const root: Principal = { userId: 'root', authorities: ['read', 'admin'], kind: 'session' };

type Headers = Record<string, string>;

function fromGateway(principal: Principal): Headers {
  const headers = encodeIdentity(principal);
  return { ...headers, 'x-wherry-signature': new IdentitySigner({ secrets: [secret], clock }).sign(headers) };
}

function fromOrders(identity: RequestIdentity): Headers {
  const calls = propagatePrincipal({ service: 'orders', secret: own, targets: { 'http://b': 'billing' }, clock });
  return { ...runWithIdentity(identity, () => calls.headersFor('http://b')) };
}

/** What was truly signed for this service. */
const TRUE: readonly { readonly headers: Headers; readonly identity: RequestIdentity }[] = [
  { headers: fromGateway(ann), identity: { principal: ann, callers: [], provedAt: now } },
  { headers: fromGateway(root), identity: { principal: root, callers: [], provedAt: now } },
  ...[ann, root].flatMap((principal) =>
    [[], ['web'], ['billing', 'web']].map((before) => {
      // Each at a moment of its own, so that no two of them can be put together to a third.
      const provedAt = now - 1000 * before.length - (principal === root ? 500 : 0);
      const headers = fromOrders({ principal, callers: before, provedAt });
      return { headers, identity: { principal, callers: [...before, 'orders'], provedAt } };
    }),
  ),
];
const names = [...new Set(TRUE.flatMap(({ headers }) => Object.keys(headers)))];
const values = [...new Set(TRUE.flatMap(({ headers }) => Object.values(headers)))];

/** One thing that somebody does who has seen all of them and has no secret. */
const name = fc.constantFrom(...names);
const edit: fc.Arbitrary<(headers: Headers) => void> = fc.oneof(
  fc.tuple(name, fc.constantFrom(...values, '', 'root', 'orders', '""')).map(([name, value]) => (headers: Headers) => {
    headers[name] = value;
  }),
  name.map((name) => (headers: Headers) => {
    Reflect.deleteProperty(headers, name);
  }),
  // A header that stands there twice, as node:http joins it.
  fc.tuple(name, fc.constantFrom(...values)).map(([name, value]) => (headers: Headers) => {
    headers[name] = `${headers[name] ?? ''}, ${value}`;
  }),
  fc.constantFrom(...TRUE).map(({ headers: other }) => (headers: Headers) => {
    Object.assign(headers, other);
  }),
);

describe('the reader of identities', () => {
  it('reads what was signed for it', () => {
    for (const { headers, identity } of TRUE) expect(read(headers)).toEqual(identity);
    expect(read({ accept: '*/*', 'x-wherry-signature': 'v1,x' })).toEqual({ principal: undefined, callers: [], provedAt: undefined });
  });

  it('makes of pieces of several signed requests one of them, nobody, or a refusal: never another one', () => {
    let accepted = 0;
    const never = fc.property(fc.constantFrom(...TRUE), fc.array(edit, { minLength: 1, maxLength: 12 }), ({ headers: signed }, edits) => {
      const headers = { ...signed };
      for (const change of edits) change(headers);
      let found: RequestIdentity;
      try {
        found = read(headers);
      } catch (error) {
        expect(isWherryError(error, 'unauthenticated') || isWherryError(error, 'call_chain_too_deep')).toBe(true);
        return;
      }
      accepted++;
      expect([...TRUE.map(({ identity }) => identity), { principal: undefined, callers: [], provedAt: undefined }]).toContainEqual(found);
    });
    fc.assert(never, { numRuns: 5000 });
    // Not everything was refused, or nothing would have been asked.
    expect(accepted).toBeGreaterThan(20);
  });
});
