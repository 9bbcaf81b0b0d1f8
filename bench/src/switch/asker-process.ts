import { once } from 'node:events';
import { Agent, request } from 'node:http';
import { median, percentile } from '../statistics.ts';
import type { AskerSettings, Seen } from './processes.ts';

const [{ url, cookies, perSecond }] = (await once(process, 'message')) as [AskerSettings];
const agent = new Agent({ keepAlive: true, maxSockets: 256 });
const TICK_MS = 10;
let took: number[] = [];
let faults = 0;
let began = performance.now();
let sent = 0;

/** The n-th is asked for about 1/n as often as the first (Zipf): s = 1, by inversion of its continuous form. */
function anyCookie(): string {
  const rank = Math.floor(cookies.length ** Math.random()) - 1;
  return cookies[rank] ?? '';
}

/** Counted from when it was due: a server that is late makes those behind it late. */
function ask(due: number): void {
  const asked = request(`${url}/auth`, { agent, headers: { cookie: anyCookie() } }, (answer) => {
    answer.resume();
    answer.once('end', () => {
      took.push(performance.now() - due);
      if (answer.statusCode !== 200) faults++;
    });
  });
  asked.once('error', () => faults++);
  asked.end();
}

setInterval(() => {
  const now = performance.now();
  for (let due = began + (sent * 1000) / perSecond; due <= now; due = began + (sent * 1000) / perSecond) {
    sent++;
    ask(due);
  }
}, TICK_MS);

process.on('message', () => {
  const seen: Seen = {
    requests: took.length,
    faults,
    p50: median(took),
    p99: percentile(took, 0.99),
    most: took.reduce((a, b) => Math.max(a, b), 0),
  };
  took = [];
  faults = 0;
  began = performance.now();
  sent = 0;
  process.send?.(seen);
});
