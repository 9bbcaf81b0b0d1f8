import { RENEWAL_PREFIX, parseRenewalCredential, type RenewalSelector } from '@wherry/renewal';
import { createHash } from 'node:crypto';
import type { RegisteredClient } from '../clients.ts';

/** What a family's access tokens were narrowed to when it began; members that are absent were not. */
export interface RenewalTerms {
  readonly audience?: readonly string[];
  /** Names with one space between. */
  readonly scope?: string;
}

/** A refresh token, taken apart. `credential` is a secret. */
export interface RefreshToken {
  readonly credential: string;
  readonly selector: RenewalSelector;
  /** As they are in the token: a family holds to them by {@link bindingOf}. Empty: there are none. */
  readonly termsText: string;
  readonly terms: RenewalTerms;
}

const LONGEST_TERMS = 4096;

/** The text that terms have in a refresh token; empty for none. */
export function termsText({ audience, scope }: RenewalTerms): string {
  if (audience === undefined && scope === undefined) return '';
  return Buffer.from(
    JSON.stringify({ ...(audience === undefined ? {} : { audience }), ...(scope === undefined ? {} : { scope }) }),
  ).toString('base64url');
}

/** True for what has the form of a refresh token. */
export function isRefreshToken(text: string): boolean {
  return text.startsWith(RENEWAL_PREFIX);
}

/** The refresh token for a credential of the family that was begun with these terms. */
export function refreshTokenText(credential: string, terms: string): string {
  return terms === '' ? credential : `${credential}.${terms}`;
}

/**
 * Takes a refresh token apart; undefined where it cannot be one. It proves nothing yet: neither the credential, nor the
 * terms, which the family confirms.
 */
export function readRefreshToken(text: string): RefreshToken | undefined {
  const dot = text.indexOf('.');
  const credential = dot < 0 ? text : text.slice(0, dot);
  const ofTerms = dot < 0 ? '' : text.slice(dot + 1);
  const selector = parseRenewalCredential(credential);
  if (selector?.mode !== 'credential' || (dot >= 0 && ofTerms === '') || ofTerms.length > LONGEST_TERMS) return undefined;
  const terms = readTerms(ofTerms);
  return terms === undefined ? undefined : { credential, selector, termsText: ofTerms, terms };
}

/**
 * What each renewal of a family has to prove beside its credential: a client that can prove who it is, itself; another
 * one, the key of its proof, where it had one (RFC 9449 section 5 and RFC 9700 section 4.14.2); both, that they are the
 * terms with which the family began, for else a holder of a narrowed token could leave them out.
 */
export function bindingOf(client: RegisteredClient | undefined, jkt: string | undefined, terms: string): string | undefined {
  // No thumbprint has a colon or a space.
  const holder = client?.confidential === true ? `client:${client.id}` : jkt;
  if (terms === '') return holder;
  return `${holder ?? ''} ${createHash('sha256').update(terms).digest('base64url')}`;
}

/** True for a binding to a client that proves who it is, and to nothing else. */
export function isOfClient(boundTo: string): boolean {
  return boundTo.startsWith('client:') && !boundTo.includes(' ');
}

function readTerms(text: string): RenewalTerms | undefined {
  if (text === '') return {};
  try {
    const value: unknown = JSON.parse(Buffer.from(text, 'base64url').toString());
    return isTerms(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function isTerms(value: unknown): value is RenewalTerms {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  const { audience, scope } = value as Readonly<Record<string, unknown>>;
  return (
    (audience === undefined || (Array.isArray(audience) && audience.every((one) => typeof one === 'string'))) &&
    (scope === undefined || typeof scope === 'string')
  );
}
