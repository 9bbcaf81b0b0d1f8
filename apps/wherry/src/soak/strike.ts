import { setTimeout as sleep } from 'node:timers/promises';
import type { SoakFault } from './schedule.ts';
import type { SoakStage } from './soak-stage.ts';

/** Brings a fault about and mends it; resolves when everything that it struck is back. Aborted, it mends at once. */
export async function strike(stage: SoakStage, fault: SoakFault, signal: AbortSignal): Promise<void> {
  const lasts = (ms: number): Promise<unknown> => sleep(ms, undefined, { signal }).catch(() => undefined);
  switch (fault.kind) {
    case 'kill':
      stage.roles[fault.role].kill();
      await sleep(0);
      break;
    case 'freeze':
      stage.roles[fault.role].freeze();
      await lasts(fault.ms);
      stage.roles[fault.role].thaw();
      break;
    case 'cut': {
      const way = stage.way(fault.role, fault.server);
      way.sever();
      await lasts(fault.ms);
      way.mend();
      break;
    }
    case 'restart':
      await stage.servers[fault.server].pause();
      await lasts(fault.ms);
      await stage.servers[fault.server].start();
      break;
    case 'crash':
      await stage.crash(fault.server);
      await lasts(fault.ms);
      await stage.servers[fault.server].start();
      break;
    case 'full-disk':
      stage.disk?.fill();
      await lasts(fault.ms);
      stage.disk?.free();
      break;
    case 'clock':
      stage.roles[fault.role].setClock(fault.byMs);
      await lasts(fault.ms);
      stage.roles[fault.role].setClock(0);
      break;
  }
  if ('role' in fault) await stage.roles[fault.role].ready();
}
