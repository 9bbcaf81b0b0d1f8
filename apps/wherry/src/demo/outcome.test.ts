import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, it } from 'vitest';
import type { CrowdReport } from './crowd.ts';
import { statefulRequests } from './gateway-counts.ts';
import { isFlawless, outcomeLine, phasesLine } from './outcome.ts';
import type { StoryEnd } from './story.ts';

const report: CrowdReport = {
  carried: 40,
  lost: 0,
  resurrected: 0,
  signedOut: 0,
  authoritiesChanged: 0,
  otherUser: 0,
  unavailable: 0,
  failed: 0,
  requests: 900,
  unjudged: 3,
  refused: 20,
  recovered: 5,
  forged: 0,
  staleRenewals: 0,
  stateful: 0,
  told: 30,
  renewals: { exchanged: 60, renewed: 70, silent: 30, refused: 5, recovered: 5, dropped: 4 },
  sessions: { total: 50, live: 40, ended: 10, undecided: 0, expired: 0 },
  probed: { live: 40 },
  offences: [],
};
const end: StoryEnd = { report, rollbacks: 1, phases: 6, guardRollbacks: 1, statefulAfterRetire: 0 };

describe('the outcome', () => {
  it('is told in two lines', () => {
    expect(outcomeLine(end)).toBe('carried 40, lost 0, resurrected 0, signed out 0, authorities changed 0, rollbacks 1');
    expect(phasesLine(end)).toBe('phases 6, guardrail rollbacks 1, stateful requests after retire 0');
    expect(isFlawless(end)).toBe(true);
  });

  it.each<Partial<StoryEnd>>([
    { phases: 5 },
    { guardRollbacks: 0 },
    { guardRollbacks: 2 },
    { statefulAfterRetire: 1 },
    ...(
      [
        'lost',
        'resurrected',
        'signedOut',
        'authoritiesChanged',
        'otherUser',
        'unavailable',
        'failed',
        'forged',
        'staleRenewals',
        'stateful',
      ] as const
    ).map((fault) => ({ report: { ...report, [fault]: 1 } })),
    { report: { ...report, carried: 39 } },
    { report: { ...report, carried: 0, probed: { live: 0 } } },
  ])('is flawed by %j', (change) => {
    expect(isFlawless({ ...end, ...change })).toBe(false);
  });
});

describe('what a gateway has let in by session credentials', () => {
  const METRICS = `# TYPE wherry_gateway_requests_total counter
wherry_gateway_requests_total{kind="jwt",code="ok"} 1000
wherry_gateway_requests_total{kind="cookie",code="ok"} 12
wherry_gateway_requests_total{code="ok",kind="session_token"} 3
wherry_gateway_requests_total{kind="cookie",code="credential_kind_refused"} 200
wherry_gateway_requests_total{kind="none",code="nobody"} 7
`;

  it.each([
    [200, METRICS, 15],
    [200, '', 0],
    [503, METRICS, undefined],
  ])('is read from its metrics: %s', async (status, text, count) => {
    const server = createServer((_request, response) => response.writeHead(status).end(text));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const asked = statefulRequests(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
    if (count === undefined) await expect(asked).rejects.toThrow('503');
    else expect(await asked).toBe(count);
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
});
