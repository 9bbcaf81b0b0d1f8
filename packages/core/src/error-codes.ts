/**
 * The one registry of error codes. A code is stable: clients and operators match on it, so it is never renamed or
 * reused. `status` is the HTTP status of the answer in which it leaves the system; `meaning` is the page of
 * documentation (docs/errors.md is generated from this table).
 */
export const ERROR_CODES = {
  bad_request: { status: 400, meaning: 'The request does not have the form that the route documents.' },
  body_too_large: { status: 413, meaning: 'The request body is larger than the route accepts.' },
  config_invalid: {
    status: 500,
    meaning: 'A configuration key has a value that is not allowed. The message names key, value and what is allowed.',
  },
  conflict: { status: 409, meaning: 'Somebody else changed the same thing first; read it again and repeat.' },
  control_unavailable: { status: 503, meaning: 'The control database cannot be reached, and the answer needs it.' },
  deadline_exceeded: { status: 503, meaning: 'The work did not finish within its deadline.' },
  draining: { status: 503, meaning: 'This instance is shutting down; another one answers.' },
  id_clock_backwards: { status: 503, meaning: 'The clock went back behind the last id given out; no id is made until it has caught up.' },
  id_worker_lost: { status: 503, meaning: 'The lease of the worker id that ids are made under has ended.' },
  internal: { status: 500, meaning: 'A fault of ours. The log has the details under the request id.' },
  lease_lost: { status: 503, meaning: 'The lease of this instance has ended; it may not act until it has registered again.' },
  migration_step_invalid: { status: 409, meaning: 'The migration is not in a step that allows this command.' },
  not_found: { status: 404, meaning: 'Nothing is there under this name.' },
  sealed_data_invalid: { status: 500, meaning: 'Sealed data does not open: wrong key, wrong place or altered bytes.' },
  shard_unavailable: { status: 503, meaning: 'The database instance that owns the key cannot be reached.' },
  slot_not_owned: {
    status: 503,
    meaning: 'The slot changed its owner while the call was under way, and no retry succeeded within the deadline.',
  },
  source_unavailable: { status: 503, meaning: 'The source store cannot be reached.' },
} as const satisfies Record<string, { readonly status: number; readonly meaning: string }>;

/** Every code that an error of ours can carry. */
export type ErrorCode = keyof typeof ERROR_CODES;
