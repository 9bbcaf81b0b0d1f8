import fc from 'fast-check';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import type { Renewal } from '../renewal.ts';
import { beginning, newSessionId, startFamilyCluster, type FamilyCluster, type FamilyInstance } from './cluster.ts';
import { FamilyOracle } from './family-oracle.ts';

/** A model run of so many histories on every dialect. Control is the PostgreSQL of the project; the shards are on `shardServerUrl`. */
export function modelSuite(shardServerUrl: () => string, numRuns: number): void {
  let cluster: FamilyCluster;
  let instances: [FamilyInstance, FamilyInstance];
  beforeAll(async () => {
    cluster = await startFamilyCluster(inject('postgresUrl'), shardServerUrl());
    instances = await Promise.all([cluster.instance(), cluster.instance()]);
  });
  afterAll(async () => {
    await Promise.all(instances.map(async (instance) => instance[Symbol.asyncDispose]()));
    await cluster[Symbol.asyncDispose]();
  });

  const T = 1_800_000_000_000;
  const HOUR_MS = 3_600_000;

  /** The newest credential, the one that it was given for, or any that was ever given out. Old ones are rare, else no family gets old. */
  const which = fc.oneof(
    { weight: 9, arbitrary: fc.constantFrom('newest' as const, 'former' as const, 'former' as const) },
    { weight: 1, arbitrary: fc.nat() },
  );
  const command = fc.oneof(
    { weight: 12, arbitrary: fc.record({ type: fc.constant('present' as const), which, instance: fc.nat({ max: 1 }) }) },
    {
      weight: 6,
      arbitrary: fc.record({ type: fc.constant('together' as const), which: fc.array(which, { minLength: 2, maxLength: 4 }) }),
    },
    {
      weight: 8,
      arbitrary: fc.record({
        type: fc.constant('clock' as const),
        by: fc.oneof(
          { weight: 3, arbitrary: fc.constantFrom(1, 29_999, 30_000, 30_001, 31_000, 240_000, 540_000) },
          { weight: 1, arbitrary: fc.constantFrom(600_001, HOUR_MS - 1, HOUR_MS, -HOUR_MS) },
        ),
      }),
    },
    { weight: 2, arbitrary: fc.record({ type: fc.constant('begin' as const), capped: fc.boolean() }) },
    { weight: 1, arbitrary: fc.record({ type: fc.constant('end' as const), which }) },
    { weight: 1, arbitrary: fc.constant({ type: 'endSession' as const }) },
    { weight: 1, arbitrary: fc.constant({ type: 'raiseGeneration' as const }) },
  );

  test('whatever is presented, whenever and by whichever instance, comes to what the whole history says; together, to what some order of them says', async () => {
    const seen = new Map<string, number>();
    await fc.assert(
      fc.asyncProperty(fc.array(command, { minLength: 30, maxLength: 80 }), async (commands) => {
        const sessionId = newSessionId();
        let now = T;
        let minimumGeneration = 0;
        let begun = 0;
        let oracle = new FamilyOracle();
        const present = async (credential: string, instance: number): Promise<Renewal> =>
          instances[instance % 2 === 0 ? 0 : 1].families.renew({ credential, now, minimumGeneration });
        const pick = (one: number | 'newest' | 'former'): string => {
          const known = oracle.credentials;
          const newest = known.at(-1) ?? '';
          if (one === 'former') return oracle.formerOf(newest) ?? newest;
          return one === 'newest' ? newest : (known[one % known.length] ?? '');
        };
        const begin = async (capped: boolean): Promise<void> => {
          const absoluteExpiry = capped ? now + 2 * HOUR_MS : null;
          const part = { sessionId, now, absoluteExpiry, generation: 0 };
          const { credential } = await instances[begun++ % 2 === 0 ? 0 : 1].families.begin(beginning(part));
          oracle.begin(credential, String(begun), now, { generation: 0, absoluteExpiry });
        };
        const told = ({ outcome }: Renewal): void => void seen.set(outcome, (seen.get(outcome) ?? 0) + 1);
        await begin(false);
        for (const step of commands) {
          switch (step.type) {
            case 'present': {
              const credential = pick(step.which);
              const renewal = await present(credential, step.instance);
              told(renewal);
              expect(oracle.present(credential, now, minimumGeneration, renewal), `presented alone: ${renewal.outcome}`).toBe(true);
              break;
            }
            case 'together': {
              const credentials = step.which.map(pick);
              const presented = await Promise.all(
                credentials.map(async (credential, i) => ({ credential, renewal: await present(credential, i) })),
              );
              const explained = orders(presented).map((order) => {
                const attempt = oracle.clone();
                const fits = order.every(({ credential, renewal }) => attempt.present(credential, now, minimumGeneration, renewal));
                return fits ? attempt : undefined;
              });
              const explanation = explained.find((attempt) => attempt !== undefined);
              expect(explanation, `together: ${presented.map(({ renewal }) => renewal.outcome).join(', ')}`).toBeDefined();
              oracle = explanation ?? oracle;
              break;
            }
            case 'clock':
              now += step.by;
              break;
            case 'begin':
              if (begun < 5) await begin(step.capped);
              break;
            case 'end': {
              const credential = pick(step.which);
              expect(await instances[0].families.end(credential, { now })).toBeDefined();
              oracle.end(credential);
              break;
            }
            case 'endSession':
              // Rare, as little is to be seen behind it.
              if (oracle.credentials.length % 3 > 0) break;
              await instances[1].families.endOfSession(sessionId, now);
              oracle.endAll('session_ended');
              break;
            case 'raiseGeneration':
              if (oracle.credentials.length % 4 === 0) minimumGeneration++;
          }
        }
        for (const credential of oracle.credentials) {
          const family = await instances[0].families.inspect({ credential, now, minimumGeneration });
          expect(family !== undefined).toBe(oracle.wouldRenew(credential, now, minimumGeneration));
        }
      }),
      { numRuns },
    );
    // A model that sees one outcome only proves nothing; few runs may miss a rare one.
    if (numRuns >= 60) expect([...seen.keys()].toSorted()).toEqual(['ended', 'expired', 'generation_old', 'renewed', 'reused']);
  });

  /** All orders of some things. */
  function orders<T>(things: readonly T[]): T[][] {
    const [first, ...others] = things;
    if (first === undefined) return [[]];
    return orders(others).flatMap((order) => things.map((_, at) => order.toSpliced(at, 0, first)));
  }
}
