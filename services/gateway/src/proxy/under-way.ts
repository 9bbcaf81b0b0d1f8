import type { Refusal } from '../outcome.ts';
import type { Passing } from './passing.ts';

/** A request at an upstream: an answer that is on its way, or a connection that was upgraded. */
export interface UnderWay {
  readonly passing: Passing;
  /** True when the client has sent something since this was asked last. */
  used(): boolean;
  /** Ends it because its caller is no longer who he was: by the refusal where no answer has begun, else by cutting the connection. */
  cut(refusal: Refusal): void;
  /** Ends it without an answer. */
  destroy(): void;
}
