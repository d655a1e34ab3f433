"""
The Lua scripts of presence in Redis, and the keys.

==================== ================================================================
key (after a prefix) value
==================== ================================================================
C{node:<node>}       hash, a Connect: C{life}, C{prev}, C{renewed} (ms)
C{life:<life>}       the time (ms) at which a past life ended
C{user:<user>}       hash: by the name of each Connect of the user, the life; by the
                     empty name, the time (ms) at which the user last left
==================== ================================================================

A life is one full write of the users of a Connect.  A user is online if a Connect with
a valid lease has the user's life as its own (C{prev} counts while a full write takes
several calls).  So a dead Connect takes all its users offline, and a new full write
takes offline the users that it does not name, without touching their keys.  Each write
to a user removes the lives that are over.

Every key expires some time after its last write.  All times are those of the server, so
that Messages whose clocks differ agree.  The arguments of each script are the lease
(ms), how long keys are kept (s), the time (ms; 0: the server's), then its own.
"""

from __future__ import annotations

from wsmsg.redis.connection import RedisScript

_ALL = """
local prefix, lease, kept = KEYS[1], tonumber(ARGV[1]), ARGV[2]
local now = tonumber(ARGV[3])
if now == 0 then
  local t = redis.call('TIME')
  now = t[1] * 1000 + math.floor(t[2] / 1000)
end
local function text(ms) return string.format('%.0f', ms) end
local nodes = {}
local function node_of(name)
  local n = nodes[name]
  if not n then
    local v = redis.call('HMGET', prefix .. 'node:' .. name,
                         'life', 'prev', 'renewed')
    n = {life = v[1] or '', prev = v[2] or '', renewed = tonumber(v[3] or 0)}
    n.holds = n.life ~= '' and now - n.renewed < lease
    nodes[name] = n
  end
  return n
end
-- nil: the life is not over; else when it ended
local function over(name, life)
  local n = node_of(name)
  if life == n.life or life == n.prev then
    if n.holds then return nil end
    return n.renewed
  end
  return tonumber(redis.call('GET', prefix .. 'life:' .. life) or 0)
end
"""

_WRITE = """
local name, life = ARGV[4], ARGV[5]
local place = prefix .. 'node:' .. name
local function renew()
  redis.call('HSET', place, 'renewed', text(now))
  redis.call('EXPIRE', place, kept)
  nodes[name] = nil
end
local function come(user)
  local key, seen, left = prefix .. 'user:' .. user, 0, 0
  local all = redis.call('HGETALL', key)
  for i = 1, #all, 2 do
    if all[i] == '' then
      left = tonumber(all[i + 1])
    elseif all[i] ~= name then
      local ended = over(all[i], all[i + 1])
      if ended then
        redis.call('HDEL', key, all[i])
        seen = math.max(seen, ended)
      end
    end
  end
  redis.call('HSET', key, name, life)
  if seen > left then redis.call('HSET', key, '', text(seen)) end
  redis.call('EXPIRE', key, kept)
end
local function leave(user)
  local key = prefix .. 'user:' .. user
  local at = redis.call('HGET', key, name)
  local n = node_of(name)
  if at and (at == n.life or at == n.prev) then
    redis.call('HDEL', key, name)
    redis.call('HSET', key, '', text(now))
    redis.call('EXPIRE', key, kept)
  end
end
local function ended(old, ms)
  if old == '' then return end
  redis.call('SET', prefix .. 'life:' .. old, text(ms), 'EX', kept)
end
"""

#: Begins a life.  Arguments: name, life, 1 in the first call, 1 in the last, users.
#: Returns 0 if another life began meanwhile.
REPLACE = RedisScript(
    _ALL
    + _WRITE
    + """
local n = node_of(name)
if ARGV[6] == '1' then
  local prev = n.life
  if not n.holds then
    ended(n.life, n.renewed)
    prev = ''
  end
  redis.call('HSET', place, 'life', life, 'prev', prev)
elseif n.life ~= life then
  return 0
end
renew()
for i = 8, #ARGV do come(ARGV[i]) end
if ARGV[7] == '1' then
  ended(node_of(name).prev, now)
  redis.call('HSET', place, 'prev', '')
end
return 1
"""
)

#: Changes the users of a life.  Arguments: name, life, the number of users that came,
#: those, the users that left.  Returns 1; 0 if the life is unknown; 2 if another
#: Message writes this Connect.
CHANGE = RedisScript(
    _ALL
    + _WRITE
    + """
local n = node_of(name)
if n.life ~= life then return n.holds and 2 or 0 end
renew()
local came = tonumber(ARGV[6])
for i = 7, 6 + came do come(ARGV[i]) end
for i = 7 + came, #ARGV do leave(ARGV[i]) end
return 1
"""
)

#: Removes a Connect if it has this life.  Arguments: name, life.
FORGET = RedisScript(
    _ALL
    + _WRITE
    + """
local n = node_of(name)
if n.life ~= life then return 0 end
ended(n.life, now)
ended(n.prev, now)
redis.call('DEL', place)
return 1
"""
)

#: Returns the time, then for each user the time at which they were last seen (0: never;
#: -1: online), separated by spaces.  Arguments: users.
LOOK_UP = RedisScript(
    _ALL
    + """
local found = {text(now)}
for i = 4, #ARGV do
  local all, seen = redis.call('HGETALL', prefix .. 'user:' .. ARGV[i]), 0
  for j = 1, #all, 2 do
    local ms = tonumber(all[j + 1])
    if all[j] ~= '' then ms = over(all[j], all[j + 1]) end
    if not ms then
      seen = -1
      break
    end
    seen = math.max(seen, ms)
  end
  found[#found + 1] = text(seen)
end
return table.concat(found, ' ')
"""
)

#: Fails if the server takes no writes.
PROBE = RedisScript("return redis.call('SET', KEYS[1] .. 'probe', '1', 'PX', 5000)")

ALL = (REPLACE, CHANGE, FORGET, LOOK_UP, PROBE)
