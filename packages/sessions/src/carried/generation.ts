/**
 * The user's generation at log-in lies in the session itself, under a name of ours, so that it travels with it through
 * both stores and through the application, which hands back what it was given. Absent means 0.
 */
const FIELD = 'wherryGeneration';

/** The generation stamped in a session's JSON text, 0 where there is none. */
export function stampedGeneration(value: string): number {
  return explicitGeneration(value) ?? 0;
}

/** The generation stamped in a session's JSON text, undefined where there is none. */
export function explicitGeneration(value: string): number | undefined {
  // Most sessions carry no stamp, and a parse of every session for nothing is what this saves.
  if (!value.includes(`"${FIELD}"`)) return undefined;
  const stamp = (JSON.parse(value) as Record<string, unknown>)[FIELD];
  return typeof stamp === 'number' && Number.isSafeInteger(stamp) && stamp >= 0 ? stamp : undefined;
}

/** The same session with a generation stamped. `value` is a JSON object's text. */
export function stampGeneration(value: string, generation: number): string {
  return JSON.stringify({ ...(JSON.parse(value) as Record<string, unknown>), [FIELD]: generation });
}
