import { WherryError, silentLogger, systemClock } from '@wherry/core';
import { TrustedProxies, UnnamedProxy } from '@wherry/http';
import type { GatewayOptions } from '../options.ts';
import { ClientAddresses } from './client-addresses.ts';
import { ExaminationBudget } from './examination-budget.ts';
import { RequestLimits } from './request-limits.ts';

/** What a gateway bounds by. */
export interface Limits {
  readonly addresses: ClientAddresses;
  readonly budget: ExaminationBudget;
  readonly requests: RequestLimits | undefined;
  readonly allowedOrigins: ReadonlySet<string>;
}

const DEFAULT_PROXY = 'loopback';

/** The bounds of a gateway, with their numbers published. Errors: `config_invalid`. */
export function limitsOf({
  trustedProxies = [DEFAULT_PROXY],
  limits,
  examinations,
  allowedOrigins = [],
  metrics,
  ...rest
}: GatewayOptions): Limits {
  const { log = silentLogger, clock = systemClock } = rest;
  const proxies = new TrustedProxies(trustedProxies);
  const named = trustedProxies.join() !== DEFAULT_PROXY;
  const unnamed = named ? undefined : new UnnamedProxy({ proxies, setting: 'gateway.trustedProxies', log, clock });
  const budget = new ExaminationBudget({ ...examinations, clock });
  for (const origin of allowedOrigins) {
    // Compared as browsers write it, so another spelling would never fit.
    if (!URL.canParse(origin) || new URL(origin).origin !== origin)
      throw new WherryError(
        'config_invalid',
        `an allowed origin is ${JSON.stringify(origin.slice(0, 60))}; allowed is e.g. https://pay.example.com`,
      );
  }
  metrics.observeCounter(
    { name: 'wherry_gateway_unexamined_total', help: 'Credentials refused unexamined, because their budget was used up.' },
    () => [{ value: budget.refused }],
  );
  return {
    addresses: new ClientAddresses(proxies, unnamed),
    budget,
    requests: RequestLimits.of(limits, clock),
    allowedOrigins: new Set(allowedOrigins),
  };
}
