import { Agent, request } from 'node:http';

/** Asks one gateway about one token again and again, without a pause. */
export interface Hammer {
  /** When the last 200 arrived, by `performance.now()`; -Infinity: none has. */
  readonly lastOk: number;
  /** When the last answer arrived that was no 200. */
  readonly lastRefused: number;
  /** Answers of any other kind than 200, 401 and, where a gateway is cut off, 503; and requests without one. */
  readonly faults: number;
  /** The last status; 0: no answer came. */
  readonly lastStatus: number;
  /** Ends it; resolves when nothing is under way. */
  stop(): Promise<void>;
}

/** Begins to ask. Answers count from the moment in which they arrive: each was decided earlier. */
export function hammer(url: string, token: string, allowed: ReadonlySet<number> = new Set([200, 401])): Hammer {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const state = { lastOk: Number.NEGATIVE_INFINITY, lastRefused: Number.NEGATIVE_INFINITY, faults: 0, lastStatus: 0 };
  let stopped = false;
  const loop = async (): Promise<void> => {
    while (!stopped) {
      const status = await ask(agent, url, token);
      const now = performance.now();
      state.lastStatus = status;
      if (status === 200) state.lastOk = now;
      else state.lastRefused = now;
      if (!allowed.has(status)) state.faults++;
    }
    agent.destroy();
  };
  const running = loop();
  return {
    get lastOk() {
      return state.lastOk;
    },
    get lastRefused() {
      return state.lastRefused;
    },
    get lastStatus() {
      return state.lastStatus;
    },
    get faults() {
      return state.faults;
    },
    stop: async () => {
      stopped = true;
      await running;
    },
  };
}

/** The status of one answer; 0 where none came. */
function ask(agent: Agent, url: string, token: string): Promise<number> {
  return new Promise((resolve) => {
    const asked = request(`${url}/auth`, { agent, headers: { authorization: `Bearer ${token}` } }, (answer) => {
      answer.resume();
      answer.once('end', () => resolve(answer.statusCode ?? 0));
    });
    asked.once('error', () => resolve(0));
    asked.end();
  });
}
