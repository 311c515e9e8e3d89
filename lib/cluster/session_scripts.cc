#include "lib/cluster/session_scripts.h"

#include "lib/cluster/outbox_scripts.h"

namespace cluster {

namespace {

// Rows that a call replaced or removed are kept two minutes under `done`, so that the call repeated
// after an unknown outcome gives the first one's answer. Bounded: a client that binds and leaves in
// a loop must not grow it.
const std::string kRemember = R"lua(
local function remember(key, field, value)
  if redis.call('HLEN', key) >= 64 then redis.call('DEL', key) end
  redis.call('HSET', key, field, value)
  redis.call('PEXPIRE', key, 120000)
end
)lua";

}  // namespace

const runtime::RedisScript kBindScript("bind", RowFunctions() + kRemember + R"lua(
local sessions, epochs, done = KEYS[1], KEYS[2], KEYS[3]
local resource, session, generation = ARGV[1], ARGV[2], ARGV[3]
local old = redis.call('HGET', sessions, resource)
local least = 0
if old then
  local old_epoch, old_session = string.match(old, '^1 (%x+) %S+ %x+ %x+ (%x+) ')
  if old_session == session then
    return {'bound', old, redis.call('HGET', done, 'b' .. session) or ''}
  end
  if ARGV[5] == '0' then return {'conflict', old} end
  if old_epoch then
    local old_generation = string.sub(old_epoch, 1, 6)
    if old_generation > generation then return {'stale'} end
    if old_generation == generation then least = tonumber(string.sub(old_epoch, 7), 16) end
  end
elseif redis.call('HLEN', sessions) >= tonumber(ARGV[4]) then
  return {'full'}
end
local counter = redis.call('INCR', epochs)
if counter <= least then
  counter = least + 1
  redis.call('SET', epochs, string.format('%d', counter))
end
local row = '1 ' .. generation .. string.format('%010x', counter) .. ' ' .. ARGV[6] .. ARGV[7]
    .. ' ' .. ARGV[8]
redis.call('HSET', sessions, resource, row)
if old then
  remember(done, 'b' .. session, old)
  to_ending(KEYS[4], resource, old)
end
local answer = {'bound', row, old or ''}
-- Somebody may have died over what an ended session left.
local ending = redis.call('HGETALL', KEYS[4])
for i = 1, #ending, 2 do
  answer[#answer + 1] = string.match(ending[i + 1], '^([^\n]*)\n')
  answer[#answer + 1] = ending[i]
end
return answer
)lua");

const runtime::RedisScript kUpdateScript("update", R"lua(
local row = redis.call('HGET', KEYS[1], ARGV[1])
local owner = ARGV[2]
if not row or string.sub(row, 1, #owner) ~= owner then return 0 end
local generation, number = string.match(row, '^%x+ (%x+) (%x+) ', #owner + 1)
if number and number > ARGV[5] then return 1 end
if not generation or generation < ARGV[4] then generation = ARGV[4] end
redis.call('HSET', KEYS[1], ARGV[1],
  owner .. ARGV[3] .. ' ' .. generation .. ' ' .. ARGV[5] .. ' ' .. ARGV[6])
return 1
)lua");

const runtime::RedisScript kEndScript("end", RowFunctions() + kRemember + R"lua(
local row = redis.call('HGET', KEYS[1], ARGV[1])
local owner = ARGV[2]
local field = 'e' .. owner .. ARGV[1]
if not row or string.sub(row, 1, #owner) ~= owner then
  return redis.call('HGET', KEYS[2], field)
end
redis.call('HDEL', KEYS[1], ARGV[1])
remember(KEYS[2], field, row)
to_ending(KEYS[3], ARGV[1], row)
return row
)lua");

const runtime::RedisScript kAnnounceScript("announce", R"lua(
local row = redis.call('HGET', KEYS[1], ARGV[1])
local owner, session, generation, number, rest = ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6]
local epoch = ARGV[7]
if row then
  if string.sub(row, 1, #owner) == owner then
    -- Its own row: what was written later stays.
    local stood, newest, behind = string.match(row, '^%x+ (%x+) (%x+) (.*)$', #owner + 1)
    if stood and stood > generation then generation = stood end
    if newest and newest > number then number, rest = newest, behind end
  else
    local standing = string.match(row, '^1 (%x+) ')
    if standing and standing >= epoch then return {'fenced', row} end
  end
end
local fresh = owner .. session .. ' ' .. generation .. ' ' .. number .. ' ' .. rest
redis.call('HSET', KEYS[1], ARGV[1], fresh)
local counter = tonumber(string.sub(epoch, 7), 16)
if counter > tonumber(redis.call('GET', KEYS[2]) or '0') then
  redis.call('SET', KEYS[2], string.format('%d', counter))
end
return {'done', fresh}
)lua");

const runtime::RedisScript kEndAllScript("end_all", RowFunctions() + kRemember + R"lua(
local manager, incarnation, generation, prefix = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local ended, hibernated = {}, {}
-- What an earlier call ended is said again: its caller may have died before telling anybody.
local done = redis.call('HGETALL', KEYS[2])
for i = 1, #done, 2 do
  local m, inc, resource = string.match(done[i], '^a1 %x+ (%S+) (%x+) %x+ (.*)$')
  if m == manager and inc == incarnation then
    ended[#ended + 1] = resource
    ended[#ended + 1] = done[i + 1]
  end
end
-- True if it can be resumed: then it waits for that, and nobody sees it go.
local function hibernate(resource, row)
  local sm = prefix .. session_of(row)
  local state = redis.call('HMGET', sm, 'm', 'd')
  if not state[1] or state[1] == '0' then return false end
  local deadline = state[2] or whole(now_ms() + tonumber(state[1]))
  redis.call('HSET', sm, 'd', deadline)
  redis.call('HSET', KEYS[1], resource, with_flags(row, bit.bor(flags_of(row), kHibernated)))
  hibernated[#hibernated + 1] = resource
  hibernated[#hibernated + 1] = session_of(row)
  hibernated[#hibernated + 1] = deadline
  return true
end
local rows = redis.call('HGETALL', KEYS[1])
for i = 1, #rows, 2 do
  local owner, m, inc, announced =
      string.match(rows[i + 1], '^(1 %x+ (%S+) (%x+) %x+ )%x+ (%x+) ')
  if m == manager and inc == incarnation and (generation == '' or announced < generation) and
      not (has(rows[i + 1], kStreamManagement) and hibernate(rows[i], rows[i + 1])) then
    redis.call('HDEL', KEYS[1], rows[i])
    remember(KEYS[2], 'a' .. owner .. rows[i], rows[i + 1])
    to_ending(KEYS[3], rows[i], rows[i + 1])
    ended[#ended + 1] = rows[i]
    ended[#ended + 1] = rows[i + 1]
  end
end
return {ended, hibernated}
)lua");

// A version never comes again, even after Redis lost it: milliseconds, or one more.
const runtime::RedisScript kRaiseVersionScript("raise_version", R"lua(
local time = redis.call('TIME')
local version = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local old = tonumber(redis.call('GET', KEYS[1]) or '0')
if version <= old then version = old + 1 end
local text = string.format('%.0f', version)
redis.call('SET', KEYS[1], text)
return text
)lua");

}  // namespace cluster
