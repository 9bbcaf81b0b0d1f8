import type { Metrics, Sample } from '@wherry/core';
import type { Verifier } from '@wherry/tokens';
import type { Comparison } from './comparison.ts';
import type { CredentialKind, Outcome } from './outcome.ts';
import type { RenewalStats } from './renewal/renewer.ts';
import type { SessionCache } from './session-cache.ts';
import type { Touches } from './touches.ts';

/** What the numbers are read from. */
export interface CountSources {
  readonly verifier: Verifier<unknown>;
  readonly sessions: SessionCache;
  readonly touches: Touches;
  readonly comparison: Comparison;
  /** Answers to requests under way at the proxy. */
  readonly proxied: () => number;
  /** Of these the upgraded connections. */
  readonly upgraded: () => number;
  /** Requests with a session credential by users who are led to access tokens. */
  readonly ledWithSession: () => number;
  /** Access tokens renewed on their way, by result; undefined where that is off. */
  readonly renewals: () => RenewalStats | undefined;
  /** Sessions read before somebody asked for them. */
  readonly warmed: () => number;
}

/** Plain numbers that requests raise; they are read when somebody looks. */
export class Counts {
  /** By far the most frequent, so it has a number of its own. */
  jwtAccepted = 0;
  readonly #outcomes = new Map<string, { readonly labels: { readonly kind: string; readonly code: string }; value: number }>();
  readonly #upstreams = new Map<string, { readonly labels: { readonly prefix: string; readonly result: string }; value: number }>();

  /** A request that was judged. */
  judged(outcome: Outcome): void {
    if (outcome.ok && outcome.kind === 'jwt') this.jwtAccepted++;
    else this.#raise(outcome.kind, outcome.ok ? 'ok' : outcome.code);
  }

  /** A request that went on from nobody, where that is allowed. */
  nobody(): void {
    this.#raise('none', 'nobody');
  }

  /** What came of a request at an upstream. `result`: class of the status, or what failed. */
  passedOn(prefix: string, result: string): void {
    const name = `${prefix} ${result}`;
    const entry = this.#upstreams.get(name);
    if (entry === undefined) this.#upstreams.set(name, { labels: { prefix, result }, value: 1 });
    else entry.value++;
  }

  /** Makes the numbers readable. */
  publish(metrics: Metrics, sources: CountSources): void {
    const { verifier, sessions, touches, comparison, proxied, upgraded, ledWithSession, renewals, warmed } = sources;
    const help = 'Requests by kind of credential and outcome: ok, nobody, or the reason of the refusal.';
    metrics.observeCounter({ name: 'wherry_gateway_requests_total', help, labels: ['kind', 'code'] }, () => this.#samples());
    metrics.observeCounter(
      { name: 'wherry_gateway_upstream_total', help: 'Requests passed on, by route and result.', labels: ['prefix', 'result'] },
      () => [...this.#upstreams.values()],
    );
    metrics.observeGauge({ name: 'wherry_gateway_upstream_under_way', help: 'Requests that an upstream has not answered whole.' }, () => [
      { value: proxied() },
    ]);
    metrics.observeGauge({ name: 'wherry_gateway_upgraded', help: 'Upgraded connections (WebSockets) that are open.' }, () => [
      { value: upgraded() },
    ]);
    metrics.observeCounter(
      {
        name: 'wherry_gateway_led_session_requests_total',
        help: 'Requests with a session credential by users who are led to access tokens.',
      },
      () => [{ value: ledWithSession() }],
    );
    const renewed = { name: 'wherry_gateway_renewals_total', help: 'Access tokens renewed on their way, by result.', labels: ['result'] };
    metrics.observeCounter(renewed, () =>
      Object.entries(renewals() ?? {}).map(([result, value]: [string, number]) => ({ value, labels: { result } })),
    );
    const memory = { name: 'wherry_gateway_memory_total', help: 'Credentials looked up in memory.', labels: ['memory', 'result'] };
    metrics.observeCounter(memory, () => [
      { value: verifier.stats.hits, labels: { memory: 'token', result: 'hit' } },
      { value: verifier.stats.misses, labels: { memory: 'token', result: 'miss' } },
      { value: sessions.stats.hits, labels: { memory: 'session', result: 'hit' } },
      { value: sessions.stats.misses, labels: { memory: 'session', result: 'miss' } },
      { value: sessions.stats.joined, labels: { memory: 'session', result: 'joined' } },
    ]);
    metrics.observeCounter({ name: 'wherry_gateway_warmed_total', help: 'Sessions read before somebody asked for them.' }, () => [
      { value: warmed() },
    ]);
    metrics.observeGauge({ name: 'wherry_gateway_remembered', help: 'Credentials in memory.', labels: ['memory'] }, () => [
      { value: verifier.stats.remembered, labels: { memory: 'token' } },
      { value: sessions.stats.remembered, labels: { memory: 'session' } },
    ]);
    const compared = {
      name: 'wherry_gateway_compared_total',
      help: 'Requests with token and session, by difference.',
      labels: ['difference'],
    };
    metrics.observeCounter(compared, () =>
      Object.entries(comparison.found).map(([difference, value]) => ({ value, labels: { difference } })),
    );
    const touched = { name: 'wherry_gateway_touches_total', help: 'Touches of sessions in use, by result.', labels: ['result'] };
    metrics.observeCounter(touched, () => {
      const { written, failed, dropped } = touches.stats;
      return Object.entries({ written, failed, dropped }).map(([result, value]) => ({ value, labels: { result } }));
    });
  }

  #raise(kind: CredentialKind, code: string): void {
    const name = `${kind} ${code}`;
    const entry = this.#outcomes.get(name);
    if (entry === undefined) this.#outcomes.set(name, { labels: { kind, code }, value: 1 });
    else entry.value++;
  }

  #samples(): readonly Sample[] {
    return [{ value: this.jwtAccepted, labels: { kind: 'jwt', code: 'ok' } }, ...this.#outcomes.values()];
  }
}
