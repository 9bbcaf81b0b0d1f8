import type { Passing } from './passing.ts';

/** A request at an upstream: an answer that is on its way, or a connection that was upgraded. */
export interface UnderWay {
  readonly passing: Passing;
  /** True when the client has sent something since this was asked last. */
  used(): boolean;
  /** True once its answer has begun, or its connection was upgraded. */
  readonly lasts: boolean;
  /** Ends what lasts, because its caller is no longer who he was. */
  cut(): void;
  /** Ends it without an answer. */
  destroy(): void;
}
