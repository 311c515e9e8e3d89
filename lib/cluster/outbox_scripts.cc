#include "lib/cluster/outbox_scripts.h"

namespace cluster {

// Not a constant: other scripts are made of it before this file's constants are.
const std::string& RowFunctions() {
  static const std::string functions = R"lua(
local kStreamManagement, kHibernated = 2, 16
local function flags_of(row)
  return tonumber(string.match(row, '^1 %x+ %S+ %x+ %x+ %x+ %x+ %x+ %d+ (%d+) ') or '0')
end
local function with_flags(row, flags)
  return (string.gsub(row, '^(1 %x+ %S+ %x+ %x+ %x+ %x+ %x+ %d+ )%d+',
                      '%1' .. string.format('%d', flags), 1))
end
local function has(row, flag) return bit.band(flags_of(row), flag) ~= 0 end
local function session_of(row) return string.match(row, '^1 %x+ %S+ %x+ %x+ (%x+) ') end
local function now_ms()
  local time = redis.call('TIME')
  return tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
end
local function whole(number) return string.format('%.0f', number) end
local function to_ending(ending, resource, row)
  if has(row, kStreamManagement) then
    redis.call('HSET', ending, session_of(row), resource .. '\n' .. row)
  end
end
)lua";
  return functions;
}

namespace {

const std::string kTrimFunctions = R"lua(
-- A body of class V goes with the newest entry that carries it.
local function forget_shown(shown, entry, number)
  local from = string.match(entry, '^5[^\n]*\n(.*)$')
  if not from then return 0 end
  local body = redis.call('HGET', shown, from)
  if not body or string.match(body, '^(%d+) ') ~= whole(number) then return 0 end
  redis.call('HDEL', shown, from)
  return #body
end
-- Confirmed up to `number`; numbers that were never given change nothing.
local function trim(out, sm, shown, number)
  local t = tonumber(redis.call('HGET', sm, 't') or '0')
  local n = number - t
  if n <= 0 or n > redis.call('LLEN', out) then return end
  local bytes = 0
  local entries = redis.call('LPOP', out, n)
  for i = 1, #entries do
    bytes = bytes + #entries[i] + forget_shown(shown, entries[i], t + i)
  end
  redis.call('HSET', sm, 't', whole(number))
  redis.call('HINCRBY', sm, 'b', -bytes)
end
)lua";

const std::string kOwnRow = R"lua(
local row = redis.call('HGET', KEYS[1], ARGV[1])
local owns = row and string.sub(row, 1, #ARGV[2]) == ARGV[2]
)lua";

}  // namespace

const runtime::RedisScript kAppendScript("append", RowFunctions() + R"lua(
local sessions, seen, seen_of_server = KEYS[1], KEYS[2], KEYS[3]
local effect, class, from, front, body = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local how, generation = ARGV[11], ARGV[12]
local had = false
if how == 'server' then
  redis.call('ZREMRANGEBYSCORE', seen, '-inf', ARGV[7])
else
  -- Up to where the origin has ever said to have committed: what it appends of that now comes too
  -- late, from a server that slept meanwhile.
  local committed, mark = tonumber(ARGV[7]), tonumber(redis.call('ZSCORE', seen, '') or '-1')
  if committed > mark then
    redis.call('ZREMRANGEBYSCORE', seen, '-inf', ARGV[7])
    redis.call('ZADD', seen, ARGV[7], '')
    mark = committed
  end
  had = tonumber(ARGV[6]) <= mark
  -- Somebody may have begun with it before: the account gets it once, whichever session had it.
  if not had and how == 'again' then
    had = redis.call('ZSCORE', seen, effect) or redis.call('ZSCORE', seen_of_server, effect)
  end
end
if redis.call('ZCARD', seen) >= 4096 then redis.call('ZREMRANGEBYRANK', seen, 0, 1023) end
local answer, any = {}, false
for k = 1, (#KEYS - 3) / 3 do
  local out, sm, shown = KEYS[3 * k + 1], KEYS[3 * k + 2], KEYS[3 * k + 3]
  local resource, session = ARGV[10 + 3 * k], ARGV[11 + 3 * k]
  local entry = front .. ARGV[12 + 3 * k] .. '\n' .. (class == '5' and from or body)
  local row = redis.call('HGET', sessions, resource)
  local state = redis.call('HMGET', sm, 't', 'b', 'n')
  local word, number = 'gone', 0
  local here, announced = string.match(row or '', '^1 %x+ %S+ %x+ %x+ (%x+) (%x+) ')
  here = here == session and state[1]
  if here and announced < generation then
    -- Redis may have forgotten numbers of it (R11). A manager announces what it holds; what nobody
    -- holds is kept, but its client's count says nothing any more.
    here = has(row, kHibernated)
    if here then redis.call('HSET', sm, 'm', '0') end
  end
  if here then
    number = tonumber(state[1]) + redis.call('LLEN', out)
    local member = effect .. session .. (state[3] or '')
    if had or redis.call('ZADD', seen, 'NX', ARGV[6], member) == 0 then
      word = 'seen'
    else
      local length = number - tonumber(state[1]) + 1
      local bytes = tonumber(state[2]) + #entry
      local value
      if class == '5' then
        value = string.format('%.0f ', number + 1) .. body
        bytes = bytes + #value - redis.call('HSTRLEN', shown, from)
      end
      if length > 1.25 * ARGV[9] or (bytes > 1.25 * ARGV[10] and length > 1) then
        redis.call('ZREM', seen, member)
        word = 'over'
      else
        number, any = number + 1, true
        redis.call('RPUSH', out, entry)
        if value then redis.call('HSET', shown, from, value) end
        redis.call('HSET', sm, 'b', string.format('%.0f', bytes))
        word = (length >= tonumber(ARGV[9]) or bytes >= tonumber(ARGV[10])) and 'full' or 'ok'
      end
    end
  end
  answer[#answer + 1] = word
  answer[#answer + 1] = number
end
if any and (class == '1' or class == '3') then redis.call('ZADD', seen, ARGV[6], effect) end
redis.call('PEXPIRE', seen, ARGV[8])
return answer
)lua");

const runtime::RedisScript kSeenScript("seen", R"lua(
local mark = redis.call('ZSCORE', KEYS[1], '')
if mark and tonumber(ARGV[2]) <= tonumber(mark) then return 1 end
if redis.call('ZSCORE', KEYS[1], ARGV[1]) or redis.call('ZSCORE', KEYS[2], ARGV[1]) then return 1 end
return 0
)lua");

const runtime::RedisScript kCommitScript("commit", RowFunctions() + kTrimFunctions + kOwnRow +
                                                       R"lua(
if not owns then return 0 end
local committed = redis.call('HGET', KEYS[3], 'i')
if not committed then return 2 end
if ARGV[3] ~= '' and tonumber(ARGV[3]) > tonumber(committed) then
  redis.call('HSET', KEYS[3], 'i', ARGV[3])
end
if ARGV[4] ~= '' then trim(KEYS[2], KEYS[3], KEYS[4], tonumber(ARGV[4])) end
return 1
)lua");

const runtime::RedisScript kEnableScript("enable", RowFunctions() + kOwnRow + R"lua(
if not owns then return 0 end
redis.call('HSET', KEYS[1], ARGV[1], with_flags(row, bit.bor(flags_of(row), kStreamManagement)))
if redis.call('EXISTS', KEYS[2]) == 0 then
  -- Not committed yet: asked again, it is answered again.
  redis.call('HSET', KEYS[2], 'i', whole(tonumber(ARGV[3]) - 1), 'ib', ARGV[3], 't', '0', 'b', '0',
             'm', ARGV[4])
end
return 1
)lua");

const runtime::RedisScript kHibernateScript("hibernate", RowFunctions() + kOwnRow + R"lua(
if not owns then return {0} end
local state = redis.call('HMGET', KEYS[2], 'm', 'd')
if not state[1] or state[1] == '0' then return {2} end
local deadline = state[2] or whole(now_ms() + tonumber(state[1]))
redis.call('HSET', KEYS[1], ARGV[1], with_flags(row, bit.bor(flags_of(row), kHibernated)))
redis.call('HSET', KEYS[2], 'd', deadline)
return {1, deadline}
)lua");

const runtime::RedisScript kResumeScript("resume", RowFunctions() + kTrimFunctions + R"lua(
local sessions, epochs, out, sm, shown = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local directed = KEYS[6]
local resource, session, generation, owner = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local row = redis.call('HGET', sessions, resource)
if not row or session_of(row) ~= session then return {'gone'} end
local state = redis.call('HMGET', sm, 'i', 'ib', 't', 'm')
if not state[3] or state[4] == '0' then return {'gone'} end
local t, length = tonumber(state[3]), redis.call('LLEN', out)
-- 2^32 wrap: what the client confirms lies within half of it from what it confirmed before.
local more = (tonumber(ARGV[5]) - t) % 4294967296
if more > length then
  if more >= 2147483648 then return {'low', whole(t)} end
  return {'high', whole(t + length)}
end
local epoch, stood, behind =
    string.match(row, '^1 (%x+) (%S+ %x+ %x+ )%x+ %x+ (.*)$')
if string.sub(epoch, 1, 6) > generation then return {'stale'} end
local before = row
if stood ~= owner then
  local least = 0
  if string.sub(epoch, 1, 6) == generation then least = tonumber(string.sub(epoch, 7), 16) end
  local counter = redis.call('INCR', epochs)
  if counter <= least then
    counter = least + 1
    redis.call('SET', epochs, whole(counter))
  end
  row = '1 ' .. generation .. string.format('%010x', counter) .. ' ' .. owner .. session .. ' '
      .. ARGV[6] .. ' ' .. behind
end
local flags = flags_of(row)
if bit.band(flags, kHibernated) ~= 0 then row = with_flags(row, flags - kHibernated) end
redis.call('HSET', sessions, resource, row)
redis.call('HDEL', sm, 'd')
trim(out, sm, shown, t + more)
t = t + more
-- Of each `from` only the newest presence is still of use; the rest is numbered anew. Not if the
-- same owner asks again: it may have been pushed what stands there.
local entries = stood ~= owner and redis.call('LRANGE', out, 0, -1) or {}
local newest, kept, dropped = {}, {}, 0
for i = #entries, 1, -1 do
  local from = string.match(entries[i], '^5[^\n]*\n(.*)$')
  if from and newest[from] then
    dropped = dropped + #entries[i]
  else
    if from then newest[from] = true end
    kept[#kept + 1] = entries[i]
  end
end
if dropped > 0 then
  redis.call('DEL', out)
  local bytes = -dropped
  for i = #kept, 1, -1 do
    redis.call('RPUSH', out, kept[i])
    local from = string.match(kept[i], '^5[^\n]*\n(.*)$')
    if from then
      local value = redis.call('HGET', shown, from) or '0 '
      local renumbered = string.gsub(value, '^%d+', whole(t + #kept - i + 1), 1)
      bytes = bytes + #renumbered - #value
      redis.call('HSET', shown, from, renumbered)
    end
  end
  redis.call('HINCRBY', sm, 'b', bytes)
end
return {'resumed', row, before, state[1], state[2], whole(t), whole(redis.call('LLEN', out)),
        redis.call('HGET', directed, session) or '', state[4]}
)lua");

const runtime::RedisScript kAnnounceOutboxScript("announce_outbox", RowFunctions() + kOwnRow +
                                                                        R"lua(
if not owns then return {0} end
local flags = flags_of(row)
-- It was only thought to be gone.
if bit.band(flags, kHibernated) ~= 0 then
  redis.call('HSET', KEYS[1], ARGV[1], with_flags(row, flags - kHibernated))
end
redis.call('HDEL', KEYS[2], 'd')
local state = redis.call('HMGET', KEYS[2], 'i', 't')
local written = tonumber(ARGV[4])
if not state[1] then
  -- Redis lost it: what was written stands, as confirmed or not, and numbers go on behind it.
  redis.call('DEL', KEYS[3], KEYS[4])
  redis.call('HSET', KEYS[2], 'i', ARGV[3], 'ib', ARGV[5], 't', ARGV[4], 'b', '0', 'm', ARGV[6])
  return {1, ARGV[3], ARGV[4]}
end
local t, length = tonumber(state[2]), redis.call('LLEN', KEYS[3])
local last = t + length
if written > last then
  -- An older copy of Redis: numbers that were given already are not given again (R11), and what was
  -- seen is not in the outbox any more.
  redis.call('DEL', KEYS[3], KEYS[4])
  redis.call('HSET', KEYS[2], 't', ARGV[4], 'b', '0')
  redis.call('HINCRBY', KEYS[2], 'n', 1)
  last = written
elseif written < t then
  -- Somebody else announced himself first on such a copy: what was appended since is not written
  -- yet, and numbered behind what this owner wrote.
  local bytes = 0
  local shown = redis.call('HGETALL', KEYS[4])
  for k = 1, #shown, 2 do
    local number, body = string.match(shown[k + 1], '^(%d+)( .*)$')
    local value = whole(tonumber(number) - t + written) .. body
    bytes = bytes + #value - #shown[k + 1]
    redis.call('HSET', KEYS[4], shown[k], value)
  end
  redis.call('HSET', KEYS[2], 't', ARGV[4])
  redis.call('HINCRBY', KEYS[2], 'b', bytes)
  last = written + length
end
if tonumber(ARGV[3]) > tonumber(state[1]) then
  redis.call('HSET', KEYS[2], 'i', ARGV[3])
  state[1] = ARGV[3]
end
return {1, state[1], whole(last)}
)lua");

const runtime::RedisScript kPullScript("pull", RowFunctions() + kOwnRow + R"lua(
if not owns then return {0} end
local t = tonumber(redis.call('HGET', KEYS[3], 't') or '0')
local answer = {1, whole(t + redis.call('LLEN', KEYS[2]))}
local first = math.max(tonumber(ARGV[3]) - t - 1, 0)
answer[3] = whole(t + first + 1)
local room = tonumber(ARGV[5])
for _, entry in ipairs(redis.call('LRANGE', KEYS[2], first, first + tonumber(ARGV[4]) - 1)) do
  local from = string.match(entry, '^5[^\n]*\n(.*)$')
  local body = from and string.gsub(redis.call('HGET', KEYS[4], from) or '', '^%d+ ', '', 1) or ''
  room = room - #entry - #body
  if room < 0 and #answer > 3 then break end
  answer[#answer + 1] = entry
  answer[#answer + 1] = body
end
return answer
)lua");

const runtime::RedisScript kExpireScript("expire", RowFunctions() + R"lua(
local session = ARGV[2]
local ended = redis.call('HGET', KEYS[3], session)
if ended then
  local resource, row = string.match(ended, '^([^\n]*)\n(.*)$')
  return {'ended', resource, row}
end
local row = redis.call('HGET', KEYS[1], ARGV[1])
if not row or session_of(row) ~= session then return {'none'} end
if ARGV[3] ~= '1' then
  if not has(row, kHibernated) then return {'none'} end
  local left = tonumber(redis.call('HGET', KEYS[2], 'd') or '0') - now_ms()
  if left > 0 then return {'later', whole(left)} end
end
redis.call('HDEL', KEYS[1], ARGV[1])
to_ending(KEYS[3], ARGV[1], row)
return {'ended', ARGV[1], row}
)lua");

const runtime::RedisScript kForgetOutboxScript("forget_outbox", RowFunctions() + R"lua(
local state = redis.call('HMGET', KEYS[3], 'i', 'ib')
if state[1] then
  -- What a client that comes too late may still be told (XEP-0198 §5).
  if redis.call('HLEN', KEYS[5]) >= 32 then redis.call('DEL', KEYS[5]) end
  redis.call('HSET', KEYS[5], ARGV[2],
             whole(math.max(tonumber(state[1]) - tonumber(state[2]), 0) % 4294967296))
  redis.call('PEXPIRE', KEYS[5], 86400000)
end
redis.call('DEL', KEYS[2], KEYS[3], KEYS[4])
redis.call('HDEL', KEYS[1], ARGV[1])
return 1
)lua");

const runtime::RedisScript kTakeDueScript("take_due", R"lua(
local due = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', ARGV[1], 'LIMIT', 0, ARGV[3])
for _, member in ipairs(due) do redis.call('ZADD', KEYS[1], ARGV[2], member) end
return due
)lua");

const runtime::RedisScript kDropDueScript("drop_due", R"lua(
local score = redis.call('ZSCORE', KEYS[1], ARGV[1])
if score and tonumber(score) == tonumber(ARGV[2]) then redis.call('ZREM', KEYS[1], ARGV[1]) end
return 1
)lua");

}  // namespace cluster
