/** A string and the colon that makes it a key, or a bracket. Other strings are taken as a whole, so that what is in them is passed over. */
const TOKEN = /"[^"\\]*(?:\\.[^"\\]*)*"(?:\s*:)?|[{}]/g;

/**
 * The first key that an object of this valid JSON text has twice, undefined when there is none. JSON.parse keeps the last
 * of them (RFC 8259 section 4 leaves it open), and what a person wrote first would be without effect.
 */
export function duplicateKey(json: string): string | undefined {
  const objects: Set<string>[] = [];
  for (const [token] of json.matchAll(TOKEN)) {
    if (token === '{') objects.push(new Set());
    else if (token === '}') objects.pop();
    else if (token.endsWith(':')) {
      const key = JSON.parse(token.slice(0, -1)) as string;
      const keys = objects.at(-1);
      if (keys?.has(key) === true) return key;
      keys?.add(key);
    }
  }
  return undefined;
}
