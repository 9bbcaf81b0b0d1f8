import type { SessionDecoder } from '../source/decoder.ts';
import type { IdentityMapping } from './identity-mapping.ts';
import type { SessionCookie, SessionCookieOptions } from './session-cookie.ts';

/** Options of a decoder. */
export interface DecoderOptions {
  /** Where the session keeps who it belongs to. */
  readonly identity: IdentityMapping;
  /** Most bytes of UTF-8; default 512 KiB. */
  readonly maxBytes?: number;
  /** Deepest nesting of objects and arrays; default 32. */
  readonly maxDepth?: number;
}

/** How one piece of software keeps the sessions of its users: what lies in the store, and what its clients hold. */
export interface SessionFormat {
  /** As configurations and reports name it, e.g. `connect-redis`. */
  readonly name: string;
  /** `kind`s of the sources that it keeps them in. */
  readonly stores: readonly string[];
  /** What stands before the session id in the store's keys where nothing else is configured. */
  readonly prefix: string;
  /** The name of its cookie where nothing else is configured. */
  readonly cookieName: string;
  /** Where it keeps who is signed in, where nothing else is configured; absent: every application does it in its own way. */
  readonly identity?: IdentityMapping;
  /** True: what it stores need not be text, so that its source has to hand over bytes: see `textOfBytes`. */
  readonly bytes?: boolean;
  /** A session of nobody's as a source of it hands it over, to prove the way back by; absent: one of express-session is one. */
  readonly canary?: string;
  /** True: its cookie is signed, so that one cannot be read without the application's secrets. */
  readonly signedCookie: boolean;
  /**
   * Whether what was decoded shows that this software wrote it; absent: whatever it decodes does. By that samples are told
   * apart where the form of a value says nothing, as of any JSON.
   */
  readonly isTypical?: (tree: object) => boolean;
  /** Decodes what is its own and refuses what is not: by that samples are told apart. */
  decoder(options: DecoderOptions): SessionDecoder;
  /** Errors: `config_invalid` where secrets are missing. */
  cookie(options: SessionCookieOptions): SessionCookie;
}
