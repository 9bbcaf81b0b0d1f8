import { textScripts } from './scripts.ts';

/** How sessions lie in Redis, where that is more than a text under a key. All texts stand for what the scripts take and answer. */
export interface RedisLayout {
  /** As the source describes itself. */
  readonly name: string;
  /** Scripts that take and answer what those of `scripts.ts` do, under the same rules. */
  readonly scripts: { readonly end: string; readonly put: string; readonly read: string; readonly save: string; readonly touch: string };
  /** False for what stands behind the prefix and is no session's id. */
  isId(rawId: string): boolean;
}

/** A text under a key, which is the session's own: connect-redis and all that is like it. */
export const TEXT_LAYOUT: RedisLayout = {
  name: 'connect-redis',
  scripts: textScripts(),
  isId: () => true,
};
