import { describe, expect, test } from 'vitest';
import { isCrossSite, type CrossSitePolicy } from './cross-site.ts';

const allowed = new Set(['https://pay.example']);
const foreign = (policy: CrossSitePolicy, method: string, headers: Readonly<Record<string, string>>): boolean =>
  isCrossSite({ method, rawHeaders: Object.entries({ Host: 'shop.example', ...headers }).flat() }, policy, allowed);

describe('a request by cookie that changes something', () => {
  test.each([
    ['another site', { 'Sec-Fetch-Site': 'cross-site', Origin: 'https://evil.example' }, true, true],
    ['another site, in other letters', { 'sec-fetch-site': 'Cross-Site' }, true, true],
    ['a sandboxed frame', { 'Sec-Fetch-Site': 'cross-site', Origin: 'null' }, true, true],
    ['a site that is allowed', { 'Sec-Fetch-Site': 'cross-site', Origin: 'https://pay.example' }, false, false],
    ['a site that looks like one', { 'Sec-Fetch-Site': 'cross-site', Origin: 'https://pay.example.evil.example' }, true, true],
    ['a neighbour under the same domain', { 'Sec-Fetch-Site': 'same-site', Origin: 'https://blog.example' }, false, true],
    ['the same origin', { 'Sec-Fetch-Site': 'same-origin', Origin: 'https://shop.example' }, false, false],
    ['the user himself', { 'Sec-Fetch-Site': 'none' }, false, false],
    ['an old browser, the same origin', { Origin: 'https://shop.example' }, false, false],
    ['an old browser, another origin', { Origin: 'https://evil.example' }, false, true],
    ['an old browser, another port', { Origin: 'https://shop.example:8443' }, false, true],
    ['an origin that is none', { Origin: 'shop.example' }, false, true],
    ['no browser', {}, false, true],
  ])('from %s', (_name, headers, check, strict) => {
    for (const method of ['POST', 'PUT', 'PATCH', 'DELETE', 'PROPFIND', 'post']) {
      expect(foreign('check', method, headers)).toBe(check);
      expect(foreign('strict', method, headers)).toBe(strict);
      expect(foreign('off', method, headers)).toBe(false);
    }
  });

  test('is none by a safe method, unless it opens a WebSocket or stands for another one', () => {
    const there = { 'Sec-Fetch-Site': 'cross-site', Origin: 'https://evil.example' };
    for (const method of ['GET', 'HEAD', 'OPTIONS', 'TRACE']) {
      expect(foreign('strict', method, there)).toBe(false);
      expect(foreign('check', method, { ...there, Upgrade: 'websocket' })).toBe(true);
      expect(foreign('check', method, { ...there, 'X-Forwarded-Method': 'POST' })).toBe(true);
      expect(foreign('check', method, { ...there, 'X-Original-Method': 'delete' })).toBe(true);
      expect(foreign('check', method, { ...there, 'X-Forwarded-Method': 'GET' })).toBe(false);
    }
    // Who asks by POST does not become harmless by what it says of itself.
    expect(foreign('check', 'POST', { ...there, 'X-Forwarded-Method': 'GET' })).toBe(true);
  });
});
