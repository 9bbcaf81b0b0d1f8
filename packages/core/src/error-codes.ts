/**
 * The one registry of error codes. A code is stable: clients and operators match on it, so it is never renamed or
 * reused. `status` is the HTTP status of the answer in which it leaves the system; `meaning` is the page of
 * documentation (docs/errors.md is generated from this table).
 */
export const ERROR_CODES = {
  access_tokens_off: {
    status: 400,
    meaning: 'Access tokens are not given out in the present phase of the rollout; the session goes on to hold.',
  },
  bad_request: { status: 400, meaning: 'The request does not have the form that the route documents.' },
  body_too_large: { status: 413, meaning: 'The request body is larger than the route accepts.' },
  call_chain_too_deep: { status: 508, meaning: 'The call came through more services than are allowed one behind the other: a loop.' },
  canary_failed: {
    status: 503,
    meaning: 'A session written back to the source was not read as it was written, so the way back is not proved.',
  },
  client_grant_refused: { status: 400, meaning: 'The client may not use this grant type, or may not act for the token that it brings.' },
  client_unauthenticated: {
    status: 401,
    meaning: 'The client did not prove who it is: its id, its secret or its assertion is wrong, or missing.',
  },
  clock_offset_too_large: { status: 503, meaning: 'The clocks of two stores differ by more than a second.' },
  config_invalid: {
    status: 500,
    meaning: 'A configuration key has a value that is not allowed. The message names key, value and what is allowed.',
  },
  conflict: { status: 409, meaning: 'Somebody else changed the same thing first; read it again and repeat.' },
  connections_exhausted: { status: 503, meaning: 'As many upgraded connections are open as this instance takes on.' },
  control_unavailable: { status: 503, meaning: 'The control database cannot be reached, and the answer needs it.' },
  credential_kind_refused: { status: 401, meaning: 'Session tokens and cookies are no longer accepted for this user; an access token is.' },
  credential_unknown: { status: 401, meaning: 'The bearer credential is neither an access token nor a session token.' },
  cross_site_refused: { status: 403, meaning: 'A page of another site sent a request that changes something, by the cookie of the user.' },
  deadline_exceeded: { status: 503, meaning: 'The work did not finish within its deadline.' },
  demo_flawed: { status: 500, meaning: 'A figure of the demonstration that should be 0 is not.' },
  dpop_key_invalid: {
    status: 401,
    meaning: 'The key in the proof of possession (RFC 9449) is private, too weak, or not one for the algorithm of the proof.',
  },
  dpop_key_wrong: { status: 401, meaning: 'The proof of possession was made with another key than the access token is bound to.' },
  dpop_nonce_required: { status: 401, meaning: 'The proof of possession needs the nonce in the header DPoP-Nonce of this answer.' },
  dpop_proof_malformed: {
    status: 401,
    meaning: 'There is not exactly one header DPoP with a proof of possession, or the proof lacks what it has to say.',
  },
  dpop_proof_mismatch: { status: 401, meaning: 'The proof of possession is for another method, URI or access token.' },
  dpop_proof_replayed: { status: 401, meaning: 'The proof of possession was used before. Each request needs a new one.' },
  dpop_proof_untimely: { status: 401, meaning: 'The proof of possession is too old, or of the future. Make a new one.' },
  dpop_signature_invalid: { status: 401, meaning: 'The signature of the proof of possession does not verify under its own key.' },
  draining: { status: 503, meaning: 'This instance is shutting down; another one answers.' },
  exports_differ: { status: 500, meaning: 'Two exports of sessions do not say the same; the report names the differences by class.' },
  forbidden: { status: 403, meaning: 'The signed-in user lacks the authority that this needs.' },
  grant_invalid: {
    status: 422,
    meaning: 'What is known of the user cannot be put into an access token: a value is empty, too long or not well-formed text.',
  },
  grant_type_unsupported: { status: 400, meaning: 'The token endpoint does not know this grant type or type of subject token.' },
  id_clock_backwards: { status: 503, meaning: 'The clock went back behind the last id given out; no id is made until it has caught up.' },
  id_worker_lost: { status: 503, meaning: 'The lease of the worker id that ids are made under has ended.' },
  internal: { status: 500, meaning: 'A fault of ours. The log has the details under the request id.' },
  key_in_use: {
    status: 409,
    meaning: 'Tokens that live may have been signed by the key; taking it away would refuse them.',
  },
  lease_lost: { status: 503, meaning: 'The lease of this instance has ended; it may not act until it has registered again.' },
  login_failed: { status: 401, meaning: 'Username or password is wrong.' },
  login_unconfirmed: {
    status: 409,
    meaning: 'The session that was handed over is not there, has ended, or belongs to another user or other authorities.',
  },
  media_type_unsupported: { status: 415, meaning: 'The request body has a media type that the route does not accept.' },
  method_not_allowed: { status: 405, meaning: 'The route exists and does not take this method; Allow names those that it takes.' },
  migration_step_invalid: { status: 409, meaning: 'The migration is not in a step that allows this command.' },
  not_found: { status: 404, meaning: 'Nothing is there under this name.' },
  password_breached: { status: 422, meaning: 'The new password is on a list of passwords that have become known; choose another one.' },
  password_wrong: { status: 403, meaning: 'The old password is not the one of the signed-in user.' },
  passwords_busy: { status: 503, meaning: 'As many passwords are being checked as this instance takes on at a time.' },
  rate_limited: {
    status: 429,
    meaning: 'Too many requests came from this user, client or address. Retry-After says when one more is let through.',
  },
  record_unstorable: { status: 422, meaning: 'The database cannot store a value of the record, for example text with a NUL character.' },
  renewal_ended: {
    status: 401,
    meaning: 'The refresh token was revoked, or gave way to newer ones of its session; the session itself may go on.',
  },
  renewal_expired: { status: 401, meaning: 'The refresh token has not been used for too long, or its time is over.' },
  renewal_reused: {
    status: 401,
    meaning: 'A refresh token was used again after its successor. Somebody has it who should not, so all of its family have ended.',
  },
  renewal_unavailable: {
    status: 503,
    meaning: 'The access token has run out, and the service that renews it does not answer at this moment.',
  },
  renewal_unknown: { status: 401, meaning: 'The refresh token is not one that is known, or it is of another client or key.' },
  retire_unproved: {
    status: 409,
    meaning: 'It is not proved from traffic that session tokens have been out of use for one whole session life.',
  },
  revocations_stale: {
    status: 503,
    meaning: 'This instance has had no news of revocations for too long, and the session itself could not be asked.',
  },
  rollout_families_alive: {
    status: 409,
    meaning: 'Renewals that were begun in later phases still live; the phase stateful is reached when none does.',
  },
  rollout_move_invalid: {
    status: 409,
    meaning: 'The rollout cannot go from its phase to the one asked for; moves go to the neighbour only.',
  },
  rollout_paused: { status: 409, meaning: 'The rollout is held, so nothing widens until somebody resumes it; moves back stay open.' },
  rollout_unacknowledged: {
    status: 409,
    meaning: 'A step that narrows what is accepted or given out waits until every live instance acts on the present state.',
  },
  scope_invalid: { status: 400, meaning: 'A scope was asked for that is malformed, or that is not held by the one whom the token is for.' },
  sealed_data_invalid: { status: 500, meaning: 'Sealed data does not open: wrong key, wrong place or altered bytes.' },
  session_anonymous: { status: 401, meaning: 'Nobody has signed in to the session.' },
  session_collision: { status: 409, meaning: 'Another session has the same primary key. The session needs a new id.' },
  session_cookie_invalid: { status: 401, meaning: 'The session cookie is not one that the application has signed.' },
  session_ended: { status: 401, meaning: 'The session was ended by a log-out or an operator.' },
  session_expired: { status: 401, meaning: 'The session is at its end; no token can be issued for it.' },
  session_token_malformed: { status: 401, meaning: 'The session token has a wrong length, alphabet or checksum.' },
  session_token_superseded: {
    status: 401,
    meaning: 'The client has access tokens, and its session token is no longer accepted here; the token endpoint still exchanges it.',
  },
  session_undecodable: { status: 500, meaning: 'The stored session has a form that cannot be read.' },
  session_unknown: { status: 401, meaning: 'There is no such session, or its time is over.' },
  session_unstorable: { status: 413, meaning: 'The session is larger or deeper than the store accepts.' },
  shard_unavailable: { status: 503, meaning: 'The database instance that owns the key cannot be reached.' },
  signing_key_invalid: { status: 500, meaning: 'A signing key is not one that this system uses: wrong type, size, curve or value.' },
  signing_key_unavailable: {
    status: 503,
    meaning:
      'No key signs yet: the verifiers have not acknowledged one, or this instance has been cut off from the key store for too long.',
  },
  slot_not_owned: {
    status: 503,
    meaning: 'The slot changed its owner while the call was under way, and no retry succeeded within the deadline.',
  },
  source_cursor_lost: {
    status: 409,
    meaning: 'The source restarted or changed its shape, so a place in its scan has lost its meaning; the partition starts again.',
  },
  source_in_use: { status: 409, meaning: 'Somebody else uses the source, or nobody can know whether; it is not archived as unused.' },
  source_refused: {
    status: 500,
    meaning: 'The source store answered and refused: permissions, table, type or size. A repeat would be refused as well.',
  },
  source_retired: { status: 409, meaning: 'The source is retired: nothing is written to it any more, and there is no way back to it.' },
  source_unavailable: { status: 503, meaning: 'The source store cannot be reached.' },
  target_invalid: {
    status: 400,
    meaning: 'The audience or resource asked for is not known, or not among those of the client or the subject token.',
  },
  token_algorithm_refused: {
    status: 401,
    meaning: 'The access token names an algorithm that is not allowed, or not that of the key it names.',
  },
  token_audience_wrong: { status: 401, meaning: 'The access token was issued for another audience.' },
  token_bound: {
    status: 401,
    meaning: 'The access token is bound to a key (RFC 9449), and what came with it does not prove that key; or it is bound to none.',
  },
  token_claims_invalid: { status: 401, meaning: 'The access token lacks a claim, or a claim has a type or value that is never issued.' },
  token_ended: { status: 401, meaning: 'This access token was revoked, by itself or with the refresh token that it came with.' },
  token_expired: { status: 401, meaning: 'The access token has expired.' },
  token_generation_old: {
    status: 401,
    meaning: 'The access token is of an older generation than the user now has: he was logged out everywhere, disabled or changed.',
  },
  token_header_invalid: { status: 401, meaning: 'The header of the access token is not strict JSON, or has a member that is not allowed.' },
  token_issuer_wrong: { status: 401, meaning: 'The access token is of another issuer.' },
  token_key_unknown: { status: 401, meaning: 'The access token names a key that does not exist, or exists no longer.' },
  token_key_unproved: {
    status: 503,
    meaning: 'The access token names a key that this instance does not have, and it cannot prove that it has all keys.',
  },
  token_malformed: { status: 401, meaning: 'The access token is not three segments of canonical base64url.' },
  token_not_yet_valid: { status: 401, meaning: 'The access token was issued in the future, or is not valid yet.' },
  token_revoked: { status: 401, meaning: 'All access tokens issued up to a moment were revoked, and this is one of them.' },
  token_session_changed: {
    status: 401,
    meaning: 'The session has another user or other authorities than the access token says; the session goes on, and a new token says so.',
  },
  token_session_ended: { status: 401, meaning: 'The session of the access token was ended.' },
  token_signature_invalid: { status: 401, meaning: 'The signature of the access token does not verify.' },
  token_too_large: { status: 401, meaning: 'The access token is longer than any that is issued.' },
  token_type_wrong: { status: 401, meaning: 'The token is not an access token (RFC 9068): its type is not at+jwt.' },
  too_many_attempts: {
    status: 429,
    meaning: 'Too many log-ins have failed, for this account or from this address. Retry-After says when one more is let through.',
  },
  too_many_connections: {
    status: 429,
    meaning: 'The user, or the address of nobody, has as many upgraded connections open as one may have.',
  },
  too_many_registrations: { status: 429, meaning: 'Too many have registered from this address. Retry-After says when one more may.' },
  unauthenticated: { status: 401, meaning: 'The request carries no proof of who is calling, or one that does not count.' },
  upstream_timeout: { status: 504, meaning: 'The server behind the gateway did not answer in time.' },
  upstream_unavailable: { status: 502, meaning: 'The server behind the gateway cannot be reached, or broke off.' },
  user_disabled: { status: 403, meaning: 'The user is disabled: he is not let in, and nothing is given out for him.' },
  username_taken: { status: 409, meaning: 'Somebody has the username.' },
} as const;

/** Every code that an error of ours can carry. */
export type ErrorCode = keyof typeof ERROR_CODES;
