import { VISITORS, type OperatorAct, type Plan, type Step } from './plan.ts';

/** Everybody does everything that he could do in the phase that is reached. */
function everybody(): Step[] {
  return Array.from({ length: VISITORS }, (_, visitor) => visitor).flatMap((visitor): Step[] => [
    { step: 'request', visitor, gateway: 0, presented: 'jwt', lost: false },
    { step: 'request', visitor, gateway: 1, presented: 'session', lost: false },
    { step: 'exchange', visitor, auth: 0, lost: true },
    { step: 'renew', visitor, auth: 1, lost: true },
    { step: 'age', visitor, gateway: 0 },
    { step: 'request', visitor, gateway: 0, presented: 'renewed', lost: true },
    { step: 'request', visitor, gateway: 1, presented: 'renewed', lost: false },
    { step: 'get-in', visitor, gateway: 1 },
  ]);
}

const operate = (act: OperatorAct): Step => ({ step: 'operate', act });
const then = (...acts: readonly OperatorAct['act'][]): Step[] =>
  acts.flatMap((act) => [operate(act === 'set-percent' ? { act, percent: 100 } : { act }), ...everybody()]);
const signIn: readonly Step[] = Array.from({ length: VISITORS }, (_, visitor) => ({ step: 'log-in', visitor, auth: visitor }));

/** All phases, up, down and up again to the end, where those come too who know of nothing but cookies. */
export const WHOLE_WALK: Plan = {
  kinds: ['native', 'cookie', 'native'],
  exchanged: [true, false, true],
  start: 0,
  quietMs: 0,
  steps: [
    ...everybody(),
    ...then('advance', 'advance', 'set-percent', 'advance'),
    { step: 'forget-session', visitor: 2, gateway: 0 },
    ...then('advance', 'settle', 'rollback', 'rollback', 'rollback'),
    ...signIn,
    ...then('advance', 'set-percent', 'advance', 'advance', 'settle'),
    ...signIn,
    ...everybody(),
    operate({ act: 'life-passes' }),
    operate({ act: 'retire' }),
    { step: 'log-in', visitor: 1, auth: 0 },
    ...everybody(),
    ...signIn,
    ...everybody(),
    { step: 'log-out', visitor: 0, auth: 1, everywhere: false },
    { step: 'log-out', visitor: 2, auth: 0, everywhere: true },
  ],
};

/** The same once up, with a step back on the way, for where many steps take long. */
export const SHORT_WALK: Plan = {
  ...WHOLE_WALK,
  steps: [
    ...then('advance'),
    operate({ act: 'advance' }),
    ...then('set-percent'),
    operate({ act: 'rollback' }),
    operate({ act: 'advance' }),
    operate({ act: 'set-percent', percent: 100 }),
    operate({ act: 'advance' }),
    operate({ act: 'advance' }),
    ...then('settle'),
    ...signIn,
    operate({ act: 'life-passes' }),
    operate({ act: 'retire' }),
    ...signIn,
    ...everybody(),
    { step: 'log-out', visitor: 0, auth: 1, everywhere: false },
    { step: 'log-out', visitor: 2, auth: 0, everywhere: true },
  ],
};
