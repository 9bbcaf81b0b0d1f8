import { audit, type Transaction } from '@wherry/core/control';
import { decodeBase64url } from './base64url.ts';
import type { SigningAlgorithm } from './key-source.ts';
import type { PublicJwk } from './new-key.ts';

/** What a shared key signs with. */
export interface KeyKind {
  readonly alg: SigningAlgorithm;
  /** Bits of the modulus; only of RS256. */
  readonly rsaBits: number;
}

/** Bits of an RSA key where nothing else is said. */
export const DEFAULT_RSA_BITS = 2048;

interface PolicyRow {
  readonly configured: string | null;
  readonly wanted_alg: SigningAlgorithm;
  readonly wanted_rsa_bits: number;
}

/** What the next shared key is to be; undefined where nobody has said so yet. Under the lock of the keys, like all here. */
export async function readWanted(tx: Transaction): Promise<KeyKind | undefined> {
  const row = await read(tx);
  return row === undefined ? undefined : { alg: row.wanted_alg, rsaBits: row.wanted_rsa_bits };
}

/** Notes what a command made or took in: the keeper does not change it back. */
export async function setWanted(tx: Transaction, { alg, rsaBits }: KeyKind): Promise<void> {
  await tx.query(
    `INSERT INTO key_policy (wanted_alg, wanted_rsa_bits) VALUES ($1, $2)
     ON CONFLICT (one) DO UPDATE SET wanted_alg = $1, wanted_rsa_bits = $2, changed_at = wherry_now()`,
    [alg, rsaBits],
  );
}

/**
 * Notes what an issuer that starts has been configured to. Only what differs from what the last one said is news: then
 * it is wanted from now on.
 */
export async function announceConfigured(tx: Transaction, kind: KeyKind): Promise<void> {
  const said = kind.alg === 'RS256' ? `${kind.alg} ${kind.rsaBits}` : kind.alg;
  const row = await read(tx);
  if (row?.configured === said) return;
  if (row === undefined || row.configured !== null) await setWanted(tx, kind);
  await tx.query('UPDATE key_policy SET configured = $1', [said]);
  if (row !== undefined && row.configured !== null)
    await audit(tx, {
      actor: 'system',
      action: 'signing_key.configure',
      reason: 'an issuer was configured anew',
      details: { from: row.configured, to: said },
    });
}

/** True when a key is of the kind that is wanted; a longer modulus is as good. */
export function isOfKind(jwk: PublicJwk, alg: SigningAlgorithm, wanted: KeyKind): boolean {
  return alg === wanted.alg && (alg !== 'RS256' || rsaBitsOf(jwk) >= wanted.rsaBits);
}

/** What a key is. */
export function kindOf(jwk: PublicJwk, alg: SigningAlgorithm): KeyKind {
  return { alg, rsaBits: alg === 'RS256' ? rsaBitsOf(jwk) : DEFAULT_RSA_BITS };
}

function rsaBitsOf(jwk: PublicJwk): number {
  return (decodeBase64url(jwk.n ?? '')?.length ?? 0) * 8;
}

async function read(tx: Transaction): Promise<PolicyRow | undefined> {
  const { rows } = await tx.query<PolicyRow>('SELECT configured, wanted_alg, wanted_rsa_bits FROM key_policy');
  return rows[0];
}
