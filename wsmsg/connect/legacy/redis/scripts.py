"""
The Lua scripts that write to the Redis of legacy Connects.

======================================== =============================================
legacy keys                              value
======================================== =============================================
C{conn:<user>:conn-<user>-<unix s>}      hash, a connection; expires after 2 h
C{online_users}                          set of users; never expires
======================================== =============================================

======================================== =============================================
keys of wsmsg, after its prefix          value
======================================== =============================================
C{bridge:nodes}                          the Connects of wsmsg, each with a lease of
                                         15 s
C{bridge:node:<node>}                    set, the connections that a Connect has
                                         written, as C{<user>:<connection>}
C{bridge:life:<node>}                    the life of the Connect that wrote them
C{bridge:user:<user>}                    set, the connections of a user at Connects of
                                         wsmsg; also C{legacy}, if the user was in
                                         C{online_users} before
======================================== =============================================

A script removes a connection only if the connection names its Connect.  It removes a
user from C{online_users} with the user's last connection at a Connect of wsmsg, unless
the user was in the set before, or has a connection at a legacy Connect that began
within the last minute.  The name of a connection is its second, so the script finds it
without a search.

The keys of wsmsg are kept for 30 days, so that another Connect can remove what a dead
Connect left behind.  A Connect is dead when its lease has run out by the clock of the
server.

The first argument of each script is the node.
"""

from __future__ import annotations

from wsmsg.redis.connection import RedisScript

#: The lease of a Connect, in seconds: how long its connections outlive it.
LEASE_S = 15
#: The greatest age of a connection at a legacy Connect that is found, in seconds.
WINDOW_S = 60

_HEAD = """
local prefix, node = KEYS[1], ARGV[1]
local kept, life_of = 2592000, prefix .. 'bridge:life:' .. node
local nodes, index = prefix .. 'bridge:nodes', prefix .. 'bridge:node:' .. node
local function conn(user, id) return 'conn:' .. user .. ':' .. id end
local function at(user) return prefix .. 'bridge:user:' .. user end
"""

_DEPART = f"""
local now, seconds = tonumber(redis.call('TIME')[1]), {{}}
for s = now - {WINDOW_S}, now + 1 do
  seconds[#seconds + 1] = string.format('%.0f', s)
end
local function elsewhere(user)
  local begin, keys = conn(user, 'conn-' .. user .. '-'), {{}}
  for i = 1, #seconds do keys[i] = begin .. seconds[i] end
  return redis.call('EXISTS', unpack(keys)) > 0
end
local function left(user)
  local place, has_legacy = at(user), false
  for _, id in ipairs(redis.call('SMEMBERS', place)) do
    if id == 'legacy' then
      has_legacy = true
    elseif redis.call('EXISTS', conn(user, id)) == 1 then
      return
    end
  end
  redis.call('DEL', place)
  if not has_legacy and not elsewhere(user) then
    redis.call('SREM', 'online_users', user)
  end
end
local function depart(user, id)
  local key = conn(user, id)
  local owned = redis.pcall('HGET', key, 'serverID') == node
  if owned then redis.call('DEL', key) end
  local known = redis.call('SREM', at(user), id) == 1
  if owned or known then left(user) end
end
"""

#: Writes connections.  Arguments: the heartbeat (unix s), how long a connection is kept
#: (s), and for each connection the user, the name, the client's type and the beginning
#: (unix s).  Returns the connections whose names another Connect has, as
#: C{user:connection}.
ENTER = RedisScript(
    _HEAD
    + """
local refused = {}
for i = 4, #ARGV, 4 do
  local user, id = ARGV[i], ARGV[i + 1]
  local key, place = conn(user, id), at(user)
  local server = redis.pcall('HGET', key, 'serverID')
  if server and server ~= node then
    refused[#refused + 1] = user .. ':' .. id
  else
    redis.call('HSET', key, 'userID', user, 'connID', id, 'serverID', node,
               'clientType', ARGV[i + 2], 'timestamp', ARGV[i + 3],
               'lastHeartbeat', ARGV[2])
    redis.call('EXPIRE', key, ARGV[3])
    redis.call('SADD', index, user .. ':' .. id)
    if redis.call('SADD', 'online_users', user) == 1 then
      redis.call('SREM', place, 'legacy')
    elseif redis.call('EXISTS', place) == 0 then
      redis.call('SADD', place, 'legacy')
    end
    redis.call('SADD', place, id)
    redis.call('EXPIRE', place, kept)
  end
end
redis.call('EXPIRE', index, kept)
return refused
"""
)

#: Removes connections.  Arguments: for each the user and the name.
LEAVE = RedisScript(
    _HEAD
    + _DEPART
    + """
for i = 2, #ARGV, 2 do
  redis.call('SREM', index, ARGV[i] .. ':' .. ARGV[i + 1])
  depart(ARGV[i], ARGV[i + 1])
end
return 1
"""
)

#: Removes what the node has written.  Argument: the most connections to remove.
#: Returns the number of removed connections; 0 when none is left.
SWEEP = RedisScript(
    _HEAD
    + _DEPART
    + """
local written = redis.call('SPOP', index, ARGV[2])
for _, one in ipairs(written) do
  depart(string.match(one, '^(%d+):(.+)$'))
end
redis.call('DEL', life_of)
if #written == 0 then redis.call('ZREM', nodes, node) end
return #written
"""
)

#: Renews the lease of the node.  Argument: this life of the node.  Returns the life
#: that was known before, and some Connects of wsmsg whose lease has run out.
BEAT = RedisScript(
    _HEAD
    + f"""
local now = tonumber(redis.call('TIME')[1])
local known = redis.call('GETSET', life_of, ARGV[2])
redis.call('EXPIRE', life_of, kept)
redis.call('ZADD', nodes, now + {LEASE_S}, node)
redis.call('EXPIRE', nodes, kept)
return {{known or '', unpack(redis.call('ZRANGEBYSCORE', nodes, '-inf', now - 1,
                                       'LIMIT', 0, 4))}}
"""
)

ALL = (ENTER, LEAVE, SWEEP, BEAT)
