import type { SourceStore } from '../source/contract.ts';
import type { RedisLayout } from './layout.ts';
import { textScripts } from './scripts.ts';
import { openRedisSource, type RedisSourceOptions } from './source.ts';

/**
 * koa-session gives its store ten seconds more than the session lives, and believes the member `_expire` of the JSON. That
 * is the last one, or the last but one before `_maxAge`, as `JSON.stringify` puts them; a text of another form has none.
 */
const KOA_END = `
local LATER = 10000
local function stamped(value, at)
  local head, tail = string.match(value, '^(.*"_expire":)%d+(.*)$')
  if at == '' or not head or not (tail == '}' or string.match(tail, '^,"_maxAge":%d+}$')) then return value end
  return head .. int(at) .. tail
end
`;

const KOA_LAYOUT: RedisLayout = { name: 'koa-session', scripts: textScripts(KOA_END), isId: () => true };

/**
 * Sessions that koa-session 5 to 7 keeps as JSON in an external store on Redis; `prefix` as the store puts it before ids,
 * default none. A touch and a put write the new end into the JSON as well.
 */
export function createKoaRedisSource(options: Omit<RedisSourceOptions, 'bytes'>): SourceStore {
  return openRedisSource({ prefix: '', ...options }, KOA_LAYOUT);
}
