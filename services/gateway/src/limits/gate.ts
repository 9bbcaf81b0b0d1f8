import { ERROR_CODES, WherryError } from '@wherry/core';
import { isCrossSite, type CrossSiteSource } from '@wherry/http';
import type { Caller } from '../caller.ts';
import { refusalOf, type Refusal } from '../outcome.ts';
import type { Route } from '../routes.ts';
import type { ClientAddresses, Peer } from './client-addresses.ts';
import type { RequestLimits } from './request-limits.ts';

/** Options of {@link Gate}. */
export interface GateOptions {
  readonly addresses: ClientAddresses;
  /** For routes without limits of their own, and for checks that name no route. */
  readonly limits: RequestLimits | undefined;
  /** Sites whose pages may send requests with our cookies. */
  readonly allowedOrigins: ReadonlySet<string>;
}

const CROSS_SITE = refusalOf('cookie', new WherryError('cross_site_refused', ERROR_CODES.cross_site_refused.meaning));

/** What a request has to pass beside the judgement of its credential: how often, and from whose page. Without limits it costs next to nothing. */
export class Gate {
  readonly #options: GateOptions;

  constructor(options: GateOptions) {
    this.#options = options;
  }

  /** Before the credential is looked at: why the request may go no further. `route` undefined: none is known. */
  before(route: Route | undefined, { rawHeaders }: CrossSiteSource, peer: Peer | undefined): Refusal | undefined {
    const limits = route?.limits ?? this.#options.limits;
    if (limits === undefined || !limits.countsAddresses || peer === undefined) return undefined;
    return limits.refuseAddress(this.#options.addresses.of(peer, rawHeaders));
  }

  /** When it is known who sends it. */
  after(route: Route | undefined, request: CrossSiteSource, caller: Caller): Refusal | undefined {
    // Nothing but a cookie is sent without the page's doing.
    if (caller.kind === 'cookie' && isCrossSite(request, route?.crossSite ?? 'check', this.#options.allowedOrigins)) return CROSS_SITE;
    return (route?.limits ?? this.#options.limits)?.refuseCaller(caller);
  }
}
