import { PRELUDE } from '../scripts.ts';
import { INTEGER_STREAM, LONG_STREAM } from './number-streams.ts';

/** What differs between the two repositories of Spring Session. */
export interface SpringLayout {
  /** Texts of all keys stand for bytes, one character each. Ends in `sessions:`. */
  readonly prefix: string;
  /** True: sessions have a second key whose expiry is told to the application, and sets that name them by minute and user. */
  readonly indexed: boolean;
}

/** Ends of the namespace's keys in the indexed layout. */
const PRINCIPALS = 'index:org.springframework.session.FindByIndexNameSessionRepository.PRINCIPAL_NAME_INDEX_NAME:';

/** Spring keeps an indexed session for five minutes more, in which it tells the application of the end. */
const GRACE_MS = 300_000;
/**
 * A session is over for Spring when its last access lies further back than its idle time, by the application's clock. A
 * save without an access prolongs the key all the same; so much later than Spring at the most it is over here.
 */
const CLOCK_SLACK_MS = 60_000;
/** Seconds that stand for a session without an end. A negative idle time, which means just that, is deleted at its next save by Spring 3. */
const FOREVER = 2_147_483_647;

/**
 * Reading and writing of one session's keys, for the scripts below. Times inside of a session are in the form of its
 * other fields, the JDK's or JSON. Where they are in neither, the key's own expiry alone decides and stays all that is
 * changed.
 */
function keysOf({ prefix, indexed }: SpringLayout): string {
  return `
local PREFIX, NAMESPACE = ${luaText(prefix)}, ${luaText(prefix.slice(0, -'sessions:'.length))}
local INDEXED, GRACE, SLACK, FOREVER = ${indexed}, ${indexed ? GRACE_MS : 0}, ${CLOCK_SLACK_MS}, ${FOREVER}
local LONG, INTEGER = ${luaText(LONG_STREAM.toString('latin1'))}, ${luaText(INTEGER_STREAM.toString('latin1'))}

local function number(text)
  if #text == #LONG + 8 and string.sub(text, 1, #LONG) == LONG then return (struct.unpack('>i8', text, #LONG + 1)) end
  if #text == #INTEGER + 4 and string.sub(text, 1, #INTEGER) == INTEGER then return (struct.unpack('>i4', text, #INTEGER + 1)) end
  if #text > 40 then return nil end
  return tonumber(string.match(text, '^(%-?%d+)$') or string.match(text, '^%["java%.lang%.%a+",(%-?%d+)%]$'))
end
local function like(text, x)
  if string.sub(text, 1, #LONG) == LONG then return LONG .. struct.pack('>i8', x) end
  if string.sub(text, 1, #INTEGER) == INTEGER then return INTEGER .. struct.pack('>i4', x) end
  return (string.gsub(text, '%-?%d+', int(x)))
end
local function textlike(text, value)
  if string.sub(text, 1, 2) == '\\172\\237' then return '\\172\\237\\0\\5t' .. struct.pack('>I2', #value) .. value end
  return (string.gsub(cjson.encode(value), '\\\\/', '/'))
end

-- The fields that every session has; nil: there is none, or what a late request has left of one.
local function times(key)
  local found = redis.pcall('HMGET', key, 'creationTime', 'lastAccessedTime', 'maxInactiveInterval')
  if found.err or not (found[1] and found[2] and found[3]) then return nil end
  return { form = found[1], last = number(found[2]), max = number(found[3]), interval = found[3], access = found[2] }
end
-- Whether a session lives, and until when ('': for ever).
local function life_of(key, now)
  local t = times(key)
  if not t or t.max == 0 then return false, '', t end
  local at = tonumber(expiry(key, now))
  if at and not (t.max and t.max < 0) then at = at - GRACE end
  if t.last and t.max and t.max > 0 and t.max < FOREVER then at = math.min(at or math.huge, t.last + t.max * 1000 + SLACK) end
  if at and at <= now then return false, '', t end
  return true, at and int(at) or '', t
end

local function shadow(key) return PREFIX .. 'expires:' .. string.sub(key, #PREFIX + 1) end
local function bucket(t)
  if not (t.last and t.max) or t.max < 0 or t.max >= FOREVER then return nil end
  return NAMESPACE .. 'expirations:' .. int((math.floor((t.last + t.max * 1000) / 60000) + 1) * 60000)
end
local function unlist(key, t)
  local from = bucket(t)
  if from then redis.call('SREM', from, textlike(t.form, 'expires:' .. string.sub(key, #PREFIX + 1))) end
end
-- The keys beside an indexed session: Redis tells the application when the shadow expires, and the set of a minute is
-- what makes it do so in time.
local function list(key, now, at, t)
  redis.call('APPEND', shadow(key), '')
  if at == '' then
    redis.call('PERSIST', shadow(key))
    return
  end
  redis.call('PEXPIREAT', shadow(key), int(at))
  local into = bucket(t)
  if not into then return end
  redis.call('SADD', into, textlike(t.form, 'expires:' .. string.sub(key, #PREFIX + 1)))
  local left = redis.call('PTTL', into)
  if left < 0 or now + left < at + GRACE then redis.call('PEXPIREAT', into, int(at + GRACE)) end
end

-- Lets a session end at a time, '': never. The last access is set so that Spring sees the same end; t is what it was.
local function prolong(key, now, at, t)
  local last = now
  if at == '' then
    if t.max and t.max >= 0 then
      t.max = FOREVER
      redis.call('HSET', key, 'maxInactiveInterval', like(t.interval, FOREVER))
    end
    redis.call('PERSIST', key)
  else
    at = tonumber(at)
    if t.max and t.max > 0 and t.max < FOREVER then last = math.max(at - t.max * 1000, FOREVER + 1) end
    redis.call('PEXPIREAT', key, int(at + (t.max and t.max < 0 and 0 or GRACE)))
  end
  if t.last and t.max then redis.call('HSET', key, 'lastAccessedTime', like(t.access, last)) end
  t.last = t.last and last
  if INDEXED then list(key, now, at, t) end
end
-- Removes a session. An indexed one stays for Spring as one that is over: it hears of the shadow's end and then looks. A
-- slow request that saves its last access makes no new session of it, as it would of nothing.
local function remove(key, now)
  local t = INDEXED and times(key)
  if t then unlist(key, t) end
  if INDEXED then redis.call('DEL', shadow(key)) end
  if t and t.max then
    redis.call('HSET', key, 'maxInactiveInterval', like(t.interval, 0))
    if t.last then redis.call('HSET', key, 'lastAccessedTime', like(t.access, FOREVER + 1)) end
    redis.call('PEXPIREAT', key, int(now + GRACE))
  else
    redis.call('DEL', key)
  end
end
`;
}

/**
 * A value is a sequence of texts, each behind its length. The first is of its writer: the name of the index or ''; of its
 * reader: the layout that the key's expiry shows, or ''. Then come names and contents of fields.
 */
const VALUES = `
local function shape(key, now, t)
  local at = tonumber(expiry(key, now))
  if not (at and t.last and t.max and t.max > 0 and t.max < FOREVER) then return '' end
  return at - t.last - t.max * 1000 > ${GRACE_MS / 2} and 'indexed' or 'plain'
end
local function packed(key, now, t)
  local parts = redis.call('HGETALL', key)
  for i = 1, #parts do parts[i] = struct.pack('>I4', #parts[i]) .. parts[i] end
  local seen = shape(key, now, t)
  return struct.pack('>I4', #seen) .. seen .. table.concat(parts)
end
local function parts_of(value)
  local parts, at = {}, 1
  while at <= #value do
    local length = struct.unpack('>I4', value, at)
    parts[#parts + 1] = string.sub(value, at + 4, at + 3 + length)
    at = at + 4 + length
  end
  return parts
end
`;

const STORE = `
local function store(value, at, w, now, margin)
  local key, parts = KEYS[1], parts_of(value)
  if at ~= '' and tonumber(at) <= now then
    remove(key, now)
    redis.call('SET', KEYS[2], w, 'PXAT', int(now + margin))
    return
  end
  local before = INDEXED and times(key)
  if before then unlist(key, before) end
  redis.call('DEL', key)
  for i = 2, #parts, 2 do redis.call('HSET', key, parts[i], parts[i + 1]) end
  redis.call('HSET', key, 'lastAccessedTime', redis.call('HGET', key, 'creationTime'))
  prolong(key, now, at, times(key))
  if INDEXED and parts[1] ~= '' then
    redis.call('SADD', NAMESPACE .. '${PRINCIPALS}' .. parts[1], textlike(redis.call('HGET', key, 'creationTime'), string.sub(key, #PREFIX + 1)))
  end
  if at == '' then
    redis.call('SET', KEYS[2], w)
  else
    redis.call('SET', KEYS[2], w, 'PXAT', int(tonumber(at) + margin))
  end
end
`;

/** The scripts of a layout: what they take and answer is what those of texts do. */
export function springScripts(layout: SpringLayout): {
  readonly end: string;
  readonly put: string;
  readonly read: string;
  readonly save: string;
  readonly touch: string;
} {
  const start = `${PRELUDE}${keysOf(layout)}${VALUES}`;
  return {
    read: `${start}
local now, half, room = clock(), #KEYS / 2, tonumber(ARGV[1])
local answer = { int(now) }
local n = 1
for i = 1, half do
  local w = redis.call('GET', KEYS[half + i])
  local value, at = false, ''
  if w and string.match(w, '^%d+:%d+:ended$') then
    at = expiry(KEYS[half + i], now)
  else
    local alive, ends, t = life_of(KEYS[i], now)
    at = ends
    if alive then
      value = packed(KEYS[i], now, t)
      if n > 1 and #value > room then return answer end
      room = room - #value
    end
  end
  answer[n + 1], answer[n + 2], answer[n + 3] = value, w, at
  n = n + 3
end
return answer`,
    save: `${start}${STORE}
local now, given = clock(), tonumber(ARGV[3])
local epoch, n, ended, known = version(KEYS[2])
if ended then return { 'ended' } end
if epoch > given then return { 'older', int(epoch), int(n) } end
local mark = ARGV[5]
if mark ~= '' and mark ~= known and ARGV[6] ~= '=' .. known then
  local alive, _, t = life_of(KEYS[1], now)
  if alive then return { 'differs', known, packed(KEYS[1], now, t) } end
end
if mark ~= '' then mark = ':' .. mark end
local at = ARGV[2] == '' and '' or int(now + tonumber(ARGV[2]))
store(ARGV[1], at, int(given) .. ':' .. int(n + 1) .. mark, now, tonumber(ARGV[4]))
return { 'applied', int(given), int(n + 1), at }`,
    put: `${start}${STORE}
local now, given_epoch, given_n = clock(), tonumber(ARGV[3]), tonumber(ARGV[4])
local epoch, n, ended = version(KEYS[2])
if ended then return { 'ended' } end
local newer = given_epoch > epoch or (given_epoch == epoch and given_n > n)
local same = given_epoch == epoch and given_n == n
if not newer and not (same and not life_of(KEYS[1], now)) then return { 'older', int(epoch), int(n) } end
store(ARGV[1], ARGV[2], int(given_epoch) .. ':' .. int(given_n), now, tonumber(ARGV[5]))
return { 'applied', int(given_epoch), int(given_n), ARGV[2] }`,
    touch: `${start}
local now, given = clock(), tonumber(ARGV[2])
local epoch, n, ended = version(KEYS[2])
if ended then return { 'ended' } end
local alive, _, t = life_of(KEYS[1], now)
if not alive then return { 'missing' } end
if epoch > given then return { 'older' } end
local at = ARGV[1] == '' and '' or int(now + tonumber(ARGV[1]))
if at ~= '' and tonumber(at) <= now then
  remove(KEYS[1], now)
else
  if INDEXED then unlist(KEYS[1], t) end
  prolong(KEYS[1], now, at, t)
end
if at == '' then redis.call('PERSIST', KEYS[2]) else redis.call('PEXPIREAT', KEYS[2], int(math.max(tonumber(at), now) + tonumber(ARGV[3]))) end
return { 'applied', at }`,
    end: `${start}
local now = clock()
local epoch, n, ended = version(KEYS[2])
local keep = tonumber(ARGV[1])
if ended then keep = math.max(keep, redis.call('PTTL', KEYS[2])) end
remove(KEYS[1], now)
redis.call('SET', KEYS[2], int(math.max(epoch, tonumber(ARGV[2]))) .. ':' .. int(n) .. ':ended', 'PXAT', int(now + keep))
return 1`,
  };
}

/** A text of Lua: every byte that is not plainly itself by its number. */
function luaText(bytes: string): string {
  const body = bytes.replaceAll(/[^\w:./-]/g, (byte) => `\\${String(byte.charCodeAt(0)).padStart(3, '0')}`);
  return `'${body}'`;
}
