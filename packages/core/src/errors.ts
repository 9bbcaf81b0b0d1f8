import { ERROR_CODES, type ErrorCode } from './error-codes.ts';

/** What an error carries beside its code: plain values for people and logs, never a secret. */
export type ErrorData = Readonly<Record<string, string | number | boolean | null | undefined>>;

/** Options of {@link WherryError}. */
export interface WherryErrorOptions {
  /** What was thrown below, kept for the log only. */
  readonly cause?: unknown;
  /** Values for people and logs, never a secret. */
  readonly data?: ErrorData;
  /** Seconds after which a repeat makes sense; answered as Retry-After (RFC 9110 section 10.2.3). */
  readonly retryAfter?: number;
}

/** An error with a stable code. The message says what was wrong and what is allowed, and holds no secret. */
export class WherryError extends Error {
  override readonly name = 'WherryError';
  readonly code: ErrorCode;
  readonly data: ErrorData;
  readonly retryAfter: number | undefined;

  constructor(code: ErrorCode, message: string, options: WherryErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.data = options.data ?? {};
    this.retryAfter = options.retryAfter ?? (ERROR_CODES[code].status === 503 ? 1 : undefined);
  }

  /** HTTP status of the answer in which this error leaves the system. */
  get status(): number {
    return ERROR_CODES[this.code].status;
  }
}

/** A problem document (RFC 9457) with the stable code as an extension member. */
export interface Problem {
  readonly type: string;
  readonly status: number;
  readonly code: ErrorCode;
  readonly title: string;
  readonly detail: string;
}

/** True for an error of ours that carries `code`. */
export function isWherryError(error: unknown, code?: ErrorCode): error is WherryError {
  return error instanceof WherryError && (code === undefined || error.code === code);
}

/**
 * Turns whatever was thrown into an error with a code. What is not ours becomes `internal`, its text kept in `cause`
 * only: a driver's message can quote the statement's values.
 */
export function asWherryError(error: unknown): WherryError {
  return error instanceof WherryError ? error : new WherryError('internal', 'An unexpected fault; see the log.', { cause: error });
}

/** The problem document (RFC 9457) that answers `error`. */
export function problemOf(error: WherryError): Problem {
  return {
    type: `urn:wherry:error:${error.code}`,
    status: error.status,
    code: error.code,
    title: ERROR_CODES[error.code].meaning,
    detail: error.message,
  };
}
