import { readFileSync } from 'node:fs';

/** A key that Spring left in Redis: life in ms (-1: no end) and whichever of the three its type has, in base64. */
interface GoldenKey {
  readonly life: number;
  readonly fields?: Readonly<Record<string, string>>;
  readonly members?: readonly string[];
  readonly text?: string;
}

/** What Spring itself wrote: `LAYOUT-VALUES`. */
export const GOLDEN: readonly string[] = ['indexed-jdk', 'indexed-json', 'plain-jdk', 'plain-json'];

/** All keys that Spring left. */
export function goldenKeys(name: string): Readonly<Record<string, GoldenKey>> {
  const file = new URL(`../../../fixtures/spring/golden/${name}.json`, import.meta.url);
  return JSON.parse(readFileSync(file, 'utf8')) as Record<string, GoldenKey>;
}

/** The fields of one of its sessions; none where there is no such session. */
export function goldenFields(name: string, id: string): Map<string, Buffer> {
  const fields = goldenKeys(name)[`spring:session:sessions:${id}`]?.fields ?? {};
  return new Map(Object.entries(fields).map(([field, value]) => [field, Buffer.from(value, 'base64')]));
}
