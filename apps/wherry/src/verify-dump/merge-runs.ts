/** The lines of sorted runs as one sorted run, by a heap of their foremost lines. */
export function* mergeRuns(runs: readonly Generator<string>[]): Generator<string> {
  const heap: { line: string; readonly run: Generator<string> }[] = [];
  for (const run of runs) {
    const first = run.next();
    if (first.done !== true) heap.push({ line: first.value, run });
  }
  heap.sort((a, b) => (a.line < b.line ? -1 : 1));
  for (let top = heap[0]; top !== undefined; top = heap[0]) {
    yield top.line;
    const next = top.run.next();
    if (next.done !== true) top.line = next.value;
    else {
      const last = heap.pop();
      if (last === undefined || last === top) continue;
      heap[0] = last;
    }
    sink(heap);
  }
}

/** Brings the foremost line back to its place after it was replaced. */
function sink(heap: { line: string }[]): void {
  let at = 0;
  for (;;) {
    const here = heap[at];
    const left = 2 * at + 1;
    const [one, other] = [heap[left], heap[left + 1]];
    if (here === undefined || one === undefined) return;
    const child = other !== undefined && other.line < one.line ? left + 1 : left;
    const below = heap[child];
    if (below === undefined || here.line <= below.line) return;
    heap[at] = below;
    heap[child] = here;
    at = child;
  }
}
