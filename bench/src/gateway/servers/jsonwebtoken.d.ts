declare module 'jsonwebtoken' {
  import type { KeyObject } from 'node:crypto';

  interface VerifyOptions {
    readonly algorithms: readonly string[];
    readonly issuer: string;
    readonly audience: string;
  }
  interface Claims {
    readonly sub: string;
    readonly authorities: readonly string[];
  }
  const jwt: { verify(token: string, key: KeyObject, options: VerifyOptions): Claims };
  export default jwt;
}
