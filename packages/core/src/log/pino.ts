import { pino, type DestinationStream, type Logger as Pino } from 'pino';
import { isWherryError } from '../errors.ts';
import type { LogFields, Logger } from '../log.ts';

/** Options of {@link createLogger}. */
export interface LoggerOptions {
  /** Default `info`. */
  readonly level?: 'debug' | 'info' | 'warn' | 'error' | 'silent';
  /** On every line. */
  readonly fields?: LogFields;
  /** Where lines go; default the standard output. */
  readonly destination?: DestinationStream;
}

/** Names under which a secret could slip in; their values are replaced at any of the first two depths. */
const SECRET_FIELDS = ['authorization', 'cookie', 'set-cookie', 'password', 'token', 'secret', 'accessToken', 'sessionToken', 'masterKey'];

/** JSON lines on the standard output by pino, with known secret fields replaced. */
export function createLogger(options: LoggerOptions = {}): Logger {
  const paths = SECRET_FIELDS.flatMap((field) => [`["${field}"]`, `*["${field}"]`]);
  const settings = {
    level: options.level ?? 'info',
    base: { ...options.fields },
    redact: { paths, censor: '[secret]' },
    serializers: { error: errorFields },
    timestamp: pino.stdTimeFunctions.epochTime,
  };
  return adapt(options.destination === undefined ? pino(settings) : pino(settings, options.destination));
}

function adapt(target: Pino): Logger {
  return {
    debug: (message, fields) => target.debug(fields ?? {}, message),
    info: (message, fields) => target.info(fields ?? {}, message),
    warn: (message, fields) => target.warn(fields ?? {}, message),
    error: (message, fields) => target.error(fields ?? {}, message),
    child: (fields) => adapt(target.child(fields)),
  };
}

/** Code, message and stack of an error and of its causes. Driver errors lose `detail`: it quotes column values. */
function errorFields(error: unknown): unknown {
  if (!(error instanceof Error)) return String(error);
  return {
    name: error.name,
    message: error.message,
    ...(isWherryError(error) ? { code: error.code, data: error.data } : {}),
    ...('code' in error && typeof error.code === 'string' ? { code: error.code } : {}),
    stack: error.stack,
    ...(error.cause === undefined ? {} : { cause: errorFields(error.cause) }),
  };
}
