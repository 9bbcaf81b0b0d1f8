import { expect, test } from 'vitest';
import { apartFrom, type LeftOut } from './apart-from.ts';
import type { RevocationView } from './view.ts';

const all = {
  isSessionEnded: () => true,
  sessionTokensNotBefore: () => 7,
  isTokenEnded: () => true,
  isFamilyEnded: () => true,
  minimumGeneration: () => 3,
  isUserDisabled: () => true,
  issuerNotBefore: 5,
  version: 1,
  staleMs: 9,
} satisfies RevocationView;

function said(view: RevocationView): Record<LeftOut, unknown> & { readonly rest: unknown } {
  return {
    session: view.isSessionEnded('1'),
    session_tokens: view.sessionTokensNotBefore?.('1'),
    token: view.isTokenEnded?.('j'),
    family: view.isFamilyEnded?.('2'),
    user: [view.minimumGeneration('u'), view.isUserDisabled?.('u')],
    rest: [view.issuerNotBefore, view.version, view.staleMs],
  };
}

const NOTHING = { session: false, session_tokens: 0, token: false, family: false, user: [0, false] };
const KINDS = Object.keys(NOTHING) as LeftOut[];

test.each(KINDS)('ends of kind %s are left out, and no others', (kind) => {
  expect(said(apartFrom(all, kind))).toEqual({ ...said(all), [kind]: NOTHING[kind] });
});

test('what is not left out is the view itself, at every moment', () => {
  const changing = { ...all };
  const view = apartFrom(changing);
  expect(said(view)).toEqual(said(changing));
  Object.assign(changing, { issuerNotBefore: 6, version: 2, staleMs: 10 });
  expect(said(view)).toEqual(said(changing));
  expect(said(apartFrom(all, ...KINDS))).toEqual({ ...NOTHING, rest: [5, 1, 9] });
});
