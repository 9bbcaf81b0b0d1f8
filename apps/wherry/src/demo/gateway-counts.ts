import { request } from 'undici';

const STATEFUL = /^wherry_gateway_requests_total\{([^}]*)\} (\d+)/;
const KINDS = ['kind="cookie"', 'kind="session_token"'];

/** How many requests a gateway has let in by a session credential since its start, by its own /metrics. */
export async function statefulRequests(gatewayUrl: string): Promise<number> {
  const { statusCode, body } = await request(`${gatewayUrl}/metrics`);
  const text = await body.text();
  if (statusCode !== 200) throw new Error(`the gateway does not say what it has counted: ${statusCode}`);
  let total = 0;
  for (const line of text.split('\n')) {
    const [, labels = '', value = '0'] = STATEFUL.exec(line) ?? [];
    if (labels.includes('code="ok"') && KINDS.some((kind) => labels.includes(kind))) total += Number(value);
  }
  return total;
}
