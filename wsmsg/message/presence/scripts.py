"""
What Redis is asked about presence, and how the keys hang together.

==================== ================================================================
key (after a prefix) value
==================== ================================================================
C{node:<node>}       hash, a Connect: C{life}, C{prev}, C{renewed} (ms)
C{life:<life>}       when a life that is over ended (ms)
C{user:<user>}       hash: the life of each Connect at which the user is, by its name;
                     by the empty name, when the user last left (ms)
==================== ================================================================

A life is one telling of all users of a Connect.  A user is there if a Connect with a
lease that holds has the user's life as its own (C{prev} counts while a telling takes
several calls).  So a dead Connect takes all its users along, and a new telling takes
those that it does not name, without touching a key of theirs.  Whoever writes a user
clears away what is over.

Every key expires a while after it was last written.  The time is the server's, so
that Messages whose clocks differ agree.  Arguments are the lease (ms), how long keys
are kept (s), the time (ms; 0: the server's), then those of the script.
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

#: name, life, whether it is the first call, whether it is the last, users: a life
#: begins.  0: another began meanwhile.
TELL = RedisScript(
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

#: name, life, how many came, those, who left: 1: done; 0: the life is not known; 2:
#: somebody else tells of this Connect.
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

#: name, life: the Connect is gone, if it is this life of it.
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

#: users: the time, then for each when they were last seen (0: never; -1: they are
#: here), with spaces between.
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

#: Whether writes are taken.
PROBE = RedisScript("return redis.call('SET', KEYS[1] .. 'probe', '1', 'PX', 5000)")

ALL = (TELL, CHANGE, FORGET, LOOK_UP, PROBE)
