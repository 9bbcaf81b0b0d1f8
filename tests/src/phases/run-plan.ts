import { pause, systemClock } from '@wherry/core';
import { PATIENT_MS } from '@wherry/embedded/testing';
import { readRollout } from '@wherry/rollout';
import { Violation } from '../model/violation.ts';
import { Ledger } from './ledger.ts';
import type { Operator } from './operator.ts';
import type { PhaseBench, PhaseNode } from './phase-bench.ts';
import type { Plan, Step } from './plan.ts';
import { Visitor } from './visitor.ts';

/** The services of a run. */
export interface Scene {
  readonly bench: PhaseBench;
  readonly operator: Operator;
  readonly gateways: readonly [PhaseNode, PhaseNode];
  readonly auths: readonly [PhaseNode, PhaseNode];
  /** Told of each step before it is taken, and of what was come to. */
  readonly told: (what: string) => void;
}

/** Takes the steps of a plan one after the other; throws a {@link Violation} at the first thing that may not be. */
export async function runPlan(scene: Scene, plan: Plan): Promise<void> {
  const { bench, operator, gateways, auths, told } = scene;
  const behind = new Set<PhaseNode>();
  told(`begin ${JSON.stringify({ start: plan.start, quietMs: plan.quietMs, kinds: plan.kinds, exchanged: plan.exchanged })}`);
  await operator.begin(plan.start, plan.quietMs);
  const visits = plan.kinds.map((kind) => new Ledger(scene, new Visitor(bench, kind), behind));
  try {
    for (const [n, visit] of visits.entries()) {
      await visit.logIn(0);
      if (plan.exchanged[n] === true) await visit.exchange(0, false);
    }
    for (const step of plan.steps) {
      told(JSON.stringify(step));
      await take(step);
      told(`now ${(await readRollout(bench.cluster.control)).phase}`);
    }
    told('the end');
    for (const visit of visits) for (const gateway of [0, 1]) await visit.getIn(gateway);
    for (const node of behind) await node.mend();
    behind.clear();
    await bench.settled();
    for (const visit of visits) for (const gateway of [0, 1]) await visit.getIn(gateway);
  } finally {
    for (const node of behind) await node.mend();
  }

  async function take(step: Step): Promise<void> {
    switch (step.step) {
      case 'operate':
        if (step.act.act !== 'life-passes') {
          await operator.act(step.act, behind);
          return;
        }
        // Nobody is to be cut off meanwhile: what it has seen would be missing from the proof.
        if (behind.size > 0) return;
        await reported(bench);
        for (const visit of visits) await visit.runOut();
        await operator.lifePasses();
        // A cookie would be used, and that be seen; its owners come later.
        for (const visit of visits) if (visit.kind === 'native') await visit.logIn(0);
        return;
      case 'hold':
      case 'lapse': {
        const node = [...gateways, ...auths][step.node];
        const kin = (step.node < 2 ? gateways : auths).filter((other) => other !== node);
        // One of each kind goes on to hear of everything: a client that is refused has somewhere to go.
        if (node === undefined || behind.has(node) || kin.some((other) => behind.has(other))) return;
        behind.add(node);
        if (step.step === 'hold') node.control.hold('rollout');
        else await node.lapse();
        return;
      }
      case 'mend': {
        const node = [...gateways, ...auths][step.node];
        if (node === undefined || !behind.delete(node)) return;
        await node.mend();
        return;
      }
      case 'log-in':
        await visits[step.visitor]?.logIn(step.auth);
        return;
      case 'request':
        await visits[step.visitor]?.request(step.gateway, step.presented, step.lost);
        return;
      case 'exchange':
        await visits[step.visitor]?.exchange(step.auth, step.lost);
        return;
      case 'renew':
        await visits[step.visitor]?.renew(step.auth, step.lost);
        return;
      case 'age':
        visits[step.visitor]?.age();
        return;
      case 'forget-session':
        visits[step.visitor]?.forgetSession();
        return;
      case 'get-in':
        await visits[step.visitor]?.getIn(step.gateway);
        return;
      case 'log-out':
        await visits[step.visitor]?.logOut(step.auth, step.everywhere);
    }
  }
}

/** Until every process that reports has reported all that it has seen by now. */
async function reported({ cluster }: PhaseBench): Promise<void> {
  const deadline = systemClock.monotonic() + PATIENT_MS;
  const { rows } = await cluster.control.query<{ now: bigint }>('SELECT wherry_now() AS now');
  for (;;) {
    const { rows: silent } = await cluster.control.query(
      `SELECT 1 FROM instance i LEFT JOIN usage_reporter r ON i.id = r.instance
       WHERE (i.role = 'gateway' OR r.until IS NOT NULL) AND i.state = 'live' AND i.lease_until > wherry_now() AND coalesce(r.until, 0) < $1`,
      [rows[0]?.now],
    );
    if (silent.length === 0) return;
    if (systemClock.monotonic() > deadline) throw new Violation('what was seen is not reported');
    await pause(50);
  }
}
