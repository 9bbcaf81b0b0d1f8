import { createHmac, randomBytes, timingSafeEqual, type KeyObject } from 'node:crypto';
import { readCookie, serializeCookie } from '@wherry/http';

/** Options of {@link DeviceMarks}. */
export interface DeviceMarksOptions {
  /** Of this purpose alone. */
  readonly key: KeyObject;
  /** Epoch ms, the same for all instances. */
  readonly now: () => number;
  /** How long a mark counts, milliseconds; 0: none is given or believed. */
  readonly lifeMs: number;
}

const COOKIE = '__Host-wd';
const DEVICE_BYTES = 16;
const MARK = /^([\w-]{22})\.(\d{10,14})\.([\w-]{43})$/;
/** A mark is dated anew when this part of its life is over. */
const RENEWED = 0.1;

/**
 * Marks devices on which somebody has signed in (OWASP, Slow Down Online Guessing Attacks with Device Cookies). The mark
 * is a signed cookie for one account: it proves nothing of who is calling, it only says that failures elsewhere are not
 * this device's. Nothing of the account can be read from it, and it counts for no other one.
 */
export class DeviceMarks {
  readonly #options: DeviceMarksOptions;

  constructor(options: DeviceMarksOptions) {
    this.#options = options;
  }

  /** The device that a request's Cookie header proves to be one of `account`; undefined: none. */
  read(cookies: string | undefined, account: string): string | undefined {
    return this.#read(cookies, account)?.device;
  }

  /**
   * After a log-in that succeeded: the device, a new one where it had no mark, and the Set-Cookie value where it needs one.
   * undefined where nothing keeps cookies: every browser sends Origin with a POST.
   */
  mark(headers: MarkedHeaders, account: string): { readonly device: string; readonly setCookie: string | undefined } | undefined {
    const { now, lifeMs } = this.#options;
    if (lifeMs === 0) return undefined;
    const known = this.#read(headers.cookie, account);
    if (known === undefined && headers.origin === undefined) return undefined;
    const device = known?.device ?? randomBytes(DEVICE_BYTES).toString('base64url');
    const at = now();
    if (known !== undefined && at - known.at < RENEWED * lifeMs) return { device, setCookie: undefined };
    const value = `${device}.${at}.${this.#sign(account, device, at).toString('base64url')}`;
    return { device, setCookie: serializeCookie(COOKIE, value, { maxAgeSeconds: Math.floor(lifeMs / 1000), sameSite: 'Lax' }) };
  }

  #read(cookies: string | undefined, account: string): { readonly device: string; readonly at: number } | undefined {
    const { now, lifeMs } = this.#options;
    const [, device = '', written = '', signature = ''] = MARK.exec(readCookie(cookies, COOKIE) ?? '') ?? [];
    if (device === '') return undefined;
    const at = Number(written);
    const given = Buffer.from(signature, 'base64url');
    const same = given.length === 32 && timingSafeEqual(given, this.#sign(account, device, at));
    return same && now() - at < lifeMs ? { device, at } : undefined;
  }

  #sign(account: string, device: string, at: number): Buffer {
    return createHmac('sha256', this.#options.key)
      .update(JSON.stringify([account, device, at]))
      .digest();
  }
}

/** What of a request's headers is looked at. */
interface MarkedHeaders {
  readonly cookie?: string | undefined;
  readonly origin?: string | undefined;
}
