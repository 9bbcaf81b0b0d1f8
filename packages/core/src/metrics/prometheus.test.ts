import { expect, test } from 'vitest';
import { createMetrics } from './prometheus.ts';

const samples = async (metrics: ReturnType<typeof createMetrics>): Promise<string[]> =>
  (await metrics.page()).split('\n').filter((line) => line !== '' && !line.startsWith('#'));

test('counters, gauges and histograms come out in the text format with help and type', async () => {
  const metrics = createMetrics();
  const counter = metrics.counter({ name: 'requests_total', help: 'Requests.', labels: ['status'] });
  counter.inc({ status: '200' });
  counter.inc({ status: '200' }, 4);
  metrics.gauge({ name: 'lag_seconds', help: 'Lag.' }).set(1.5);
  const histogram = metrics.histogram({ name: 'wait_seconds', help: 'Wait.', buckets: [0.1, 1] });
  histogram.observe(0.05);
  histogram.observe(0.5);
  expect(await metrics.page()).toContain('# HELP requests_total Requests.\n# TYPE requests_total counter');
  expect(await samples(metrics)).toEqual([
    'requests_total{status="200"} 5',
    'lag_seconds 1.5',
    'wait_seconds_bucket{le="0.1"} 1',
    'wait_seconds_bucket{le="1"} 2',
    'wait_seconds_bucket{le="+Inf"} 2',
    'wait_seconds_sum 0.55',
    'wait_seconds_count 2',
  ]);
  expect(metrics.contentType).toMatch(/^text\/plain; version=/);
});

test('observed metrics are read at each scrape, and what is gone is gone', async () => {
  const metrics = createMetrics();
  let shards = new Map([
    ['a', 1],
    ['b', 2],
  ]);
  const read = (): { value: number; labels: Record<string, string> }[] =>
    [...shards].map(([shard, value]) => ({ value, labels: { shard } }));
  metrics.observeGauge({ name: 'in_flight', help: 'In flight.', labels: ['shard'] }, read);
  metrics.observeCounter({ name: 'hits_total', help: 'Hits.' }, () => [{ value: 41 }]);
  expect(await samples(metrics)).toEqual(['in_flight{shard="a"} 1', 'in_flight{shard="b"} 2', 'hits_total 41']);
  shards = new Map([['b', 7]]);
  // Read, not added up: the second scrape shows the same counter.
  expect(await samples(metrics)).toEqual(['in_flight{shard="b"} 7', 'hits_total 41']);
});

test('two services in one process do not mix their numbers', async () => {
  const [one, two] = [createMetrics(), createMetrics()];
  one.counter({ name: 'a_total', help: 'A.' }).inc();
  two.counter({ name: 'a_total', help: 'A.' }).inc({}, 5);
  expect(await samples(one)).toEqual(['a_total 1']);
  expect(await samples(two)).toEqual(['a_total 5']);
});

test('a label that was not declared is refused: the set of series is fixed where the metric is made', () => {
  const counter = createMetrics().counter({ name: 'a_total', help: 'A.', labels: ['status'] });
  expect(() => counter.inc({ user: '1' })).toThrow(/label/);
});

test('process metrics come on request only', async () => {
  expect(await createMetrics().page()).not.toContain('nodejs_heap');
  expect(await createMetrics({ processMetrics: true }).page()).toContain('nodejs_heap');
});
