import { pino, type DestinationStream, type Logger as Pino } from 'pino';
import type { LogFields, Logger } from '../log.ts';
import { withoutSecrets } from '../secrets.ts';
import { cleanFields } from './clean-fields.ts';

/** Options of {@link createLogger}. */
export interface LoggerOptions {
  /** Default `info`. */
  readonly level?: 'debug' | 'info' | 'warn' | 'error' | 'silent';
  /** On every line. */
  readonly fields?: LogFields;
  /** Where lines go; default the standard output. */
  readonly destination?: DestinationStream;
}

/** JSON lines on the standard output by pino. What looks like a secret, by name or by shape, is replaced at any depth. */
export function createLogger(options: LoggerOptions = {}): Logger {
  const settings = {
    level: options.level ?? 'info',
    base: cleanFields(options.fields ?? {}),
    timestamp: pino.stdTimeFunctions.epochTime,
  };
  return adapt(options.destination === undefined ? pino(settings) : pino(settings, options.destination));
}

function adapt(target: Pino): Logger {
  const at =
    (level: 'debug' | 'info' | 'warn' | 'error') =>
    (message: string, fields?: LogFields): void => {
      // A line that is not written costs no cleaning.
      if (target.isLevelEnabled(level)) target[level](cleanFields(fields ?? {}), withoutSecrets(message));
    };
  return {
    debug: at('debug'),
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
    child: (fields) => adapt(target.child(cleanFields(fields))),
  };
}
