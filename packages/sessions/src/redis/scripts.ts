/**
 * Each change of a session is one script, so that value, expiry, version and tombstone change together; the time is
 * the server's. KEYS of a change are the session's key and its companion's. The companion holds `epoch:n`, with the mark
 * of a save `epoch:n:mark`, or `epoch:n:ended` for a tombstone. It outlives its session by the margin: an application that is not instrumented yet
 * extends a session by EXPIRE on its own key alone, and a version that is lost would start again from nothing.
 *
 * Numbers are formatted by `%.0f`, because Lua's own tostring keeps 14 digits only.
 *
 * The last of ARGV is the life of the server that is meant, or '': any. Another server answers `stranger` and its own
 * life, and does nothing: what is in it may be older than what the one that is meant has acknowledged. A life is a master's
 * replication id. It is new when a process has started as a master and when a replica becomes one (`INFO replication`).
 */
const LIFE = `
local function life()
  local info = redis.call('INFO', 'replication')
  return string.find(info, '\\nrole:master\\r', 1, true) and string.match(info, '\\nmaster_replid:(%w+)') or 'replica'
end
`;

/**
 * What every script on sessions begins with. The report is searched for what is meant, which costs half of taking it apart.
 *
 * Nothing cheaper proves a life. ROLE and CLIENT may not be called by scripts. What a script can store is replicated or
 * outlives a change of roles, as the cache of scripts does. And no connection is bound to one: a master that is made a
 * replica, and a master again, keeps those of its clients. So calls that are made together are proved together: see `get`.
 */
export const PRELUDE: string = `${LIFE}
local wanted = ARGV[#ARGV]
if wanted ~= '' then
  local info = redis.call('INFO', 'replication')
  if not (string.find(info, '\\nmaster_replid:' .. wanted .. '\\r', 1, true) and string.find(info, '\\nrole:master\\r', 1, true)) then
    return { 'stranger', life() }
  end
end
local function int(x) return string.format('%.0f', x) end
local function clock()
  local t = redis.call('TIME')
  return t[1] * 1000 + math.floor(t[2] / 1000)
end
local function version(key)
  local w = redis.call('GET', key)
  if not w then return 0, 0, false, '' end
  local epoch, n, rest = string.match(w, '^(%d+):(%d+)(.*)$')
  if not epoch then return 0, 0, false, '' end
  return tonumber(epoch), tonumber(n), rest == ':ended', string.match(rest, '^:(%x+)$') or ''
end
local function expiry(key, now)
  local at = redis.pcall('PEXPIRETIME', key)
  if type(at) ~= 'number' then
    at = redis.call('PTTL', key)
    if at >= 0 then at = now + at end
  end
  return at >= 0 and int(at) or ''
end
`;

/**
 * Where sessions end by their key's own expiry: what the scripts ask of a layout. `LATER`: by how much longer the key lives,
 * ms; `stamped`: the value with its end (epoch ms, '' for never) written into it.
 */
const PLAIN_END = `
local LATER = 0
local function stamped(value) return value end
`;

/** When the session under a key ends, or false where it has ended although the key is there. */
const ENDS = `
local function ends(key, now)
  local at = expiry(key, now)
  if at == '' then return at end
  at = tonumber(at) - LATER
  return at > now and int(at)
end
`;

/**
 * ARGV: most bytes of values to answer. KEYS: sessions, then their companions. Answers the time, then for each session
 * its value, the version, and the expiry of whichever of the two counts; as many sessions as fit, at least one. Values
 * are taken by the portion, so that large ones do not fill the server's memory before they are counted.
 */
const readWith = (end: string): string => `${PRELUDE}${end}${ENDS}
local now, half, room = clock(), #KEYS / 2, tonumber(ARGV[1])
local answer = { int(now) }
local n = 1
for first = 1, half, 50 do
  local last = math.min(first + 49, half)
  local values = redis.call('MGET', unpack(KEYS, first, last))
  local companions = redis.call('MGET', unpack(KEYS, half + first, half + last))
  for i = 1, last - first + 1 do
    local value, w = values[i], companions[i]
    if value then
      if n > 1 and #value > room then return answer end
      room = room - #value
    end
    local at = ''
    if w and string.match(w, '^%d+:%d+:ended$') then
      value = false
      at = expiry(KEYS[half + first + i - 1], now)
    elseif value then
      at = LATER == 0 and expiry(KEYS[first + i - 1], now) or ends(KEYS[first + i - 1], now)
      if not at then value, at = false, '' end
    end
    answer[n + 1], answer[n + 2], answer[n + 3] = value, w, at
    n = n + 3
  end
end
return answer`;

/**
 * What cursors of a server are good for: this process as a master, and in a cluster the slots that it has (`CLUSTER NODES`,
 * with those that it is giving away or taking in). One step with the cursor, so that nothing changes in between.
 */
const INCARNATION = `${LIFE}
local function place()
  local run_id = string.match(redis.call('INFO', 'server'), 'run_id:(%w+)') or ''
  local here = life()
  if not string.match(redis.call('INFO', 'cluster'), 'cluster_enabled:1') then return run_id .. ':' .. here, here, '', '' end
  for line in string.gmatch(redis.call('CLUSTER', 'NODES'), '[^\\n]+') do
    local id, flags, slots = string.match(line, '^(%w+) %S+ (%S+) %S+ %S+ %S+ %S+ %S+(.*)$')
    if id and string.find(flags, 'myself', 1, true) then
      return run_id .. ':' .. here .. ':' .. redis.sha1hex(slots), here, id, slots
    end
  end
  return run_id .. ':' .. here, here, '', ''
end
`;

/** Answers the server's clock, epoch ms. */
export const CLOCK: string = `
local t = redis.call('TIME')
return string.format('%.0f', t[1] * 1000 + math.floor(t[2] / 1000))`;

/** Answers how many keys the server has in the database. */
export const KEYS: string = `return redis.call('DBSIZE')`;

/** Answers the incarnation of this server, its life, its id in the cluster and its slots as `CLUSTER NODES` has them. */
export const PLACE: string = `${INCARNATION}
return { place() }`;

/** ARGV: cursor, pattern, count. Answers the incarnation, the next cursor and the keys. */
export const SCAN: string = `${INCARNATION}
local incarnation = place()
local page = redis.call('SCAN', ARGV[1], 'MATCH', ARGV[2], 'COUNT', ARGV[3])
return { incarnation, page[1], page[2] }`;

const STORE = `
local function store(value, at, w, now, margin)
  if at == '' then
    redis.call('SET', KEYS[1], stamped(value, at))
    redis.call('SET', KEYS[2], w)
    return
  end
  at = tonumber(at)
  if at > now then redis.call('SET', KEYS[1], stamped(value, at), 'PXAT', int(at + LATER)) else redis.call('DEL', KEYS[1]) end
  redis.call('SET', KEYS[2], w, 'PXAT', int(math.max(at, now) + margin))
end
`;

/** ARGV: value, life in ms or '', epoch, margin in ms, mark or '', and the mark that may be replaced after a '=', or ''. */
const saveWith = (end: string): string => `${PRELUDE}${end}${ENDS}${STORE}
local now, given = clock(), tonumber(ARGV[3])
local epoch, n, ended, known = version(KEYS[2])
if ended then return { 'ended' } end
if epoch > given then return { 'older', int(epoch), int(n) } end
local mark = ARGV[5]
if mark ~= '' and mark ~= known and ARGV[6] ~= '=' .. known then
  local value = redis.call('MGET', KEYS[1])[1]
  if value and ends(KEYS[1], now) then return { 'differs', known, value } end
end
if mark ~= '' then mark = ':' .. mark end
local at = ARGV[2] == '' and '' or int(now + tonumber(ARGV[2]))
store(ARGV[1], at, int(given) .. ':' .. int(n + 1) .. mark, now, tonumber(ARGV[4]))
return { 'applied', int(given), int(n + 1), at }`;

/**
 * ARGV: value, expiry in epoch ms or '', epoch, n, margin in ms. Applied where the version is newer than the companion's
 * (none counts as 0:0), and where it is the same and no session is there: see `put` in the contract.
 */
const putWith = (end: string): string => `${PRELUDE}${end}${ENDS}${STORE}
local now, given_epoch, given_n = clock(), tonumber(ARGV[3]), tonumber(ARGV[4])
local epoch, n, ended = version(KEYS[2])
if ended then return { 'ended' } end
local newer = given_epoch > epoch or (given_epoch == epoch and given_n > n)
local same = given_epoch == epoch and given_n == n
if not newer and not (same and (redis.call('EXISTS', KEYS[1]) == 0 or not ends(KEYS[1], now))) then return { 'older', int(epoch), int(n) } end
store(ARGV[1], ARGV[2], int(given_epoch) .. ':' .. int(given_n), now, tonumber(ARGV[5]))
return { 'applied', int(given_epoch), int(given_n), ARGV[2] }`;

/** ARGV: life in ms or '', epoch, margin in ms. */
const touchWith = (end: string): string => `${PRELUDE}${end}${ENDS}
local now, given = clock(), tonumber(ARGV[2])
local epoch, n, ended = version(KEYS[2])
if ended then return { 'ended' } end
if redis.call('EXISTS', KEYS[1]) == 0 or not ends(KEYS[1], now) then return { 'missing' } end
if epoch > given then return { 'older' } end
local at = ARGV[1] == '' and '' or now + tonumber(ARGV[1])
if LATER > 0 then
  local value = redis.call('MGET', KEYS[1])[1]
  if value then redis.call('SET', KEYS[1], stamped(value, at), 'KEEPTTL') end
end
if at == '' then
  redis.call('PERSIST', KEYS[1])
  redis.call('PERSIST', KEYS[2])
  return { 'applied', '' }
end
redis.call('PEXPIREAT', KEYS[1], int(at + (at > now and LATER or 0)))
redis.call('PEXPIREAT', KEYS[2], int(math.max(at, now) + tonumber(ARGV[3])))
return { 'applied', int(at) }`;

/** ARGV: life of the tombstone in ms, epoch. A tombstone that is there already keeps the longer life. */
const END: string = `${PRELUDE}
local now = clock()
local epoch, n, ended = version(KEYS[2])
local keep = tonumber(ARGV[1])
if ended then keep = math.max(keep, redis.call('PTTL', KEYS[2])) end
redis.call('DEL', KEYS[1])
redis.call('SET', KEYS[2], int(math.max(epoch, tonumber(ARGV[2]))) .. ':' .. int(n) .. ':ended', 'PXAT', int(now + keep))
return 1`;

/** The scripts on a text under a key, of which `end` says where its own end stands (see {@link PLAIN_END}). */
export function textScripts(end: string = PLAIN_END): { end: string; put: string; read: string; save: string; touch: string } {
  return { end: END, put: putWith(end), read: readWith(end), save: saveWith(end), touch: touchWith(end) };
}
