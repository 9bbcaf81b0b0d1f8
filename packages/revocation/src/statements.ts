import { nextSeqSql } from '@wherry/core/control';

// Each act is one statement: its number, its rows and its line in the audit log stand and fall together. $1 is the topic.

/** How long a record is kept: as long as its writer wants, and as the longest-lived tokens need of whom their issuers have told. */
const kept = (milliseconds: string): string => `greatest(${milliseconds}::bigint, coalesce((SELECT keep_ms FROM revocation_keep), 0))`;

/** $1 milliseconds. What was declared once stays: tokens of that life may live. */
export const DECLARE_KEEP = `
  INSERT INTO revocation_keep AS k (keep_ms) VALUES ($1)
  ON CONFLICT (only_row) DO UPDATE SET keep_ms = excluded.keep_ms WHERE k.keep_ms < excluded.keep_ms`;

/** $2 ids, $3 slots, $4 digests, $5 reasons, $6 how long the record is kept. */
export const END_SESSIONS: string = `
  WITH next AS (${nextSeqSql('$1')})
  INSERT INTO revocation AS r (kind, key, value, slot, digest, reason, drained, expire_time, seq)
  SELECT 'session', e.id, wherry_now(), e.slot, e.digest, e.reason, false, wherry_now() + ${kept('$6')}, next.seq
  FROM next, (SELECT DISTINCT ON (id) * FROM unnest($2::text[], $3::int[], $4::bytea[], $5::text[]) AS e (id, slot, digest, reason)) e
  ON CONFLICT (kind, key) DO UPDATE SET seq = excluded.seq
  RETURNING r.seq`;

/** $2 ids, $3 how long the record is kept. */
export const MARK_DRAINED: string = `
  WITH next AS (${nextSeqSql('$1')})
  UPDATE revocation SET drained = true, expire_time = wherry_now() + ${kept('$3')}, seq = next.seq
  FROM next WHERE kind = 'session' AND key = ANY($2::text[]) AND NOT drained`;

/** $2 `jti`s, $3 seconds of `exp`, $4 milliseconds after `exp` until it is forgotten. */
export const END_TOKENS: string = `
  WITH next AS (${nextSeqSql('$1')})
  INSERT INTO revocation AS r (kind, key, value, reason, expire_time, seq)
  SELECT 'token', e.jti, e.exp, 'revoked', e.exp * 1000 + ${kept('$4')}, next.seq
  FROM next, (SELECT DISTINCT ON (jti) * FROM unnest($2::text[], $3::bigint[]) AS e (jti, exp) ORDER BY jti, exp DESC) e
  ON CONFLICT (kind, key) DO UPDATE SET value = greatest(r.value, excluded.value),
    expire_time = greatest(r.expire_time, excluded.expire_time), seq = excluded.seq
  RETURNING r.seq`;

/** $2 ids, $3 reasons, $4 how long the record is kept. What is issued in this very moment has been read before and lives no longer. */
export const END_FAMILIES: string = `
  WITH next AS (${nextSeqSql('$1')})
  INSERT INTO revocation AS r (kind, key, value, reason, expire_time, seq)
  SELECT 'family', e.id, wherry_now() / 1000, e.reason, wherry_now() + ${kept('$4')}, next.seq
  FROM next, (SELECT DISTINCT ON (id) * FROM unnest($2::text[], $3::text[]) AS e (id, reason)) e
  ON CONFLICT (kind, key) DO UPDATE SET seq = excluded.seq
  RETURNING r.seq`;

/** `over`: the least that a bound rises to where there is one. */
const raiseSessionTokens = (over: string): string => `
  INSERT INTO revocation AS r (kind, key, value, reason, expire_time, seq)
  SELECT 'session_tokens', e.sid, wherry_now() / 1000 + 1, 'session_changed', (wherry_now() / 1000 + 1) * 1000 + ${kept('$3')}, next.seq
  FROM next, (SELECT DISTINCT sid FROM changes) e
  ON CONFLICT (kind, key) DO UPDATE SET value = greatest(${over}, excluded.value),
    expire_time = greatest(${over}, excluded.value) * 1000 + ${kept('$3')}, seq = excluded.seq
  RETURNING r.key, r.value, r.seq`;

/**
 * Notes that sessions are about to change, and ends their tokens of before; those that were issued since another change of a
 * moment ago live until {@link END_CHANGES}: with two steps for each change the bound of a session that changes once a
 * second would run away from the clock. $2 session ids, $3 how long the record is kept, $4 ids of the changes.
 */
export const BEGIN_CHANGES: string = `
  WITH next AS (${nextSeqSql('$1')}),
  changes AS (SELECT sid, change FROM unnest($2::text[], $4::uuid[]) AS e (sid, change)),
  noted AS (INSERT INTO session_change (id, sid, since) SELECT change, sid, wherry_now() FROM changes),
  raised AS (${raiseSessionTokens('r.value')})
  SELECT key, value, seq FROM raised`;

/** The sessions have changed: the same for what was issued meanwhile. $4 ids of the changes, null where none was noted. */
export const END_CHANGES: string = `
  WITH next AS (${nextSeqSql('$1')}),
  changes AS (SELECT sid FROM unnest($2::text[]) AS e (sid)),
  gone AS (DELETE FROM session_change WHERE id = ANY($4::uuid[])),
  raised AS (${raiseSessionTokens('r.value + 1')})
  SELECT key, value, seq FROM raised`;

/** The same for changes that nobody has ended in time. $2 milliseconds, $3 as above, $4 most of them. */
export const SETTLE_CHANGES: string = `
  WITH next AS (${nextSeqSql('$1')}),
  changes AS (DELETE FROM session_change WHERE id IN (
    SELECT id FROM session_change WHERE since < wherry_now() - $2 ORDER BY since LIMIT $4 FOR UPDATE SKIP LOCKED) RETURNING sid),
  raised AS (${raiseSessionTokens('r.value + 1')})
  SELECT key, value, seq FROM raised`;

/** $1 milliseconds. */
export const OVERDUE_CHANGE = 'SELECT 1 FROM session_change WHERE since < wherry_now() - $1 LIMIT 1';

const RAISE = `
  INSERT INTO revocation AS r (kind, key, value, reason, seq)
  SELECT 'user', $2, 1, $3, next.seq FROM next
  ON CONFLICT (kind, key) DO UPDATE SET value = r.value + 1, reason = excluded.reason, seq = excluded.seq
  RETURNING r.value, r.seq`;

const auditOf = (action: string, from: string, details: string): string => `
  INSERT INTO audit (actor, action, reason, details) SELECT $4, '${action}', $3, jsonb_build_object(${details}) FROM ${from}`;

/** $2 user, $3 reason, $4 actor. */
export const RAISE_GENERATION: string = `
  WITH next AS (${nextSeqSql('$1')}), raised AS (${RAISE}),
  told AS (${auditOf('user.generation_raised', 'raised', `'userId', $2::text, 'generation', value`)})
  SELECT value, seq FROM raised`;

/** The same, and the user is kept out from then on. $2 user, $3 reason, $4 actor. */
export const DISABLE_USER: string = `
  WITH next AS (${nextSeqSql('$1')}), raised AS (${RAISE}),
  disabled AS (
    INSERT INTO revocation (kind, key, value, reason, seq) SELECT 'disabled', $2, 1, $3, next.seq FROM next
    ON CONFLICT (kind, key) DO UPDATE SET value = 1, reason = excluded.reason, seq = excluded.seq),
  told AS (${auditOf('user.disabled', 'raised', `'userId', $2::text, 'generation', value`)})
  SELECT value, seq FROM raised`;

/** $2 user, $3 reason, $4 actor. No row comes back where he was not disabled. */
export const ENABLE_USER: string = `
  WITH next AS (${nextSeqSql('$1')}),
  enabled AS (
    UPDATE revocation SET value = 0, reason = $3, seq = next.seq FROM next
    WHERE kind = 'disabled' AND key = $2 AND value = 1 RETURNING revocation.seq),
  told AS (${auditOf('user.enabled', 'enabled', `'userId', $2::text`)})
  SELECT seq FROM enabled`;

/** $2 the second, $3 reason, $4 actor. Never later than the running second: a bound in the future would end what is issued from now on. */
export const RAISE_ISSUER: string = `
  WITH next AS (${nextSeqSql('$1')}),
  raised AS (
    INSERT INTO revocation AS r (kind, key, value, reason, seq)
    SELECT 'issuer', '*', least($2::bigint, wherry_now() / 1000), $3, next.seq FROM next
    ON CONFLICT (kind, key) DO UPDATE SET value = greatest(r.value, excluded.value), reason = excluded.reason, seq = excluded.seq
    RETURNING r.value, r.seq),
  told AS (${auditOf('issuer.not_before_raised', 'raised', `'notBefore', value`)})
  SELECT value, seq FROM raised`;
