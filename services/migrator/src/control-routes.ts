import type { Database } from '@wherry/core/control';
import { askAbort, askVerification, changeMigration, type MigrationChange, type MigrationState } from '@wherry/migration';
import type { FastifyInstance } from 'fastify';
import type { OperatorGate } from './operator.ts';

/** What an operator sends: why, who as he says himself, and the value that the route requires. */
interface Wish {
  readonly reason: string;
  readonly actor?: string;
  readonly percent?: number;
  readonly rate?: number;
  readonly batch?: number;
}

/** Who and why, as it goes into the audit log. */
interface By {
  readonly actor: string;
  readonly reason: string;
}

/** Where the migration stands after a command. */
export type ControlAnswer = Pick<MigrationState, 'step' | 'goal' | 'goalPercent' | 'paused' | 'rate' | 'batch' | 'aborting'>;

const REASON = { type: 'string', minLength: 1, maxLength: 500 } as const;
const ACTOR = { type: 'string', minLength: 1, maxLength: 100, pattern: '^[\\x20-\\x7e]+$' } as const;

function bodyOf(properties: Readonly<Record<string, unknown>>): object {
  return {
    type: 'object',
    additionalProperties: false,
    required: ['reason', ...Object.keys(properties)],
    properties: { reason: REASON, actor: ACTOR, ...properties },
  };
}

const PERCENT = { percent: { type: 'integer', minimum: 0, maximum: 100 } } as const;
const RATE = { rate: { type: 'integer', minimum: 0, maximum: 10_000_000 } } as const;
const BATCH = { batch: { type: 'integer', minimum: 0, maximum: 5000 } } as const;

/**
 * What an operator may do while the migration runs: `POST /v1/migration/…` with a JSON body that gives the reason. Each
 * act stands in the audit log; workers see it within a second. The answer says where the migration stands.
 */
export function controlRoutes(http: FastifyInstance, control: Database, gate: OperatorGate): void {
  const act = (name: string, properties: Readonly<Record<string, unknown>>, run: (body: Wish, by: By) => Promise<MigrationState>): void => {
    http.route<{ Body: Wish }>({
      method: 'POST',
      url: `/v1/migration/${name}`,
      // Before the body is looked at.
      onRequest: async (request) => gate.check(request.raw),
      schema: { body: bodyOf(properties) },
      handler: async ({ body }): Promise<ControlAnswer> => {
        const actor = body.actor === undefined ? 'operator' : `operator:${body.actor}`;
        const { step, goal, goalPercent, paused, rate, batch, aborting } = await run(body, { actor, reason: body.reason });
        return { step, goal, goalPercent, paused, rate, batch, aborting };
      },
    });
  };
  const change = (name: string, properties: Readonly<Record<string, unknown>>, wish: (body: Wish) => MigrationChange): void =>
    act(name, properties, (body, by) => changeMigration(control, wish(body), by));
  change('pause', {}, () => ({ paused: true }));
  change('resume', {}, () => ({ paused: false }));
  change('rate', RATE, ({ rate = 0 }) => ({ rate }));
  change('batch', BATCH, ({ batch = 0 }) => ({ batch }));
  change('switch', PERCENT, ({ percent = 0 }) => ({ goal: 'target', goalPercent: percent, paused: false }));
  change('rollback', {}, () => ({ goal: 'source', goalPercent: 100, paused: false }));
  act('verify', {}, (_, by) => askVerification(control, by));
  act('abort', {}, (_, by) => askAbort(control, by));
}
