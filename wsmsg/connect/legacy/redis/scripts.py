"""
What the Redis of deployed Connects is told by ours, each as one program of the server.

======================================== =============================================
theirs, names as they have them          value
======================================== =============================================
C{conn:<user>:conn-<user>-<unix s>}      hash, a connection; expires after 2 h
C{online_users}                          set of users; never expires
======================================== =============================================

======================================== =============================================
ours, after our prefix                   value
======================================== =============================================
C{beside:nodes}                          our Connects, each with a lease of 15 s
C{beside:node:<node>}                    set, the connections that a Connect has told:
                                         C{<user>:<connection>}
C{beside:life:<node>}                    the life of a Connect that told them
C{beside:user:<user>}                    set, the connections of a user at our
                                         Connects; C{theirs} among them: the user
                                         was in C{online_users} before
======================================== =============================================

A connection is removed only where it says that it is ours.  A user leaves
C{online_users} when no connection of theirs at any of our Connects is left, unless
they were there before us, or a connection of theirs elsewhere began within the last
minute: its name is its second, so it can be looked for without a search.

Ours are kept for 30 days, so that what a dead Connect left behind is found by the
next one that lives: by its lease, which the server's clock ends.

Every script is given the node, then what it says.
"""

from __future__ import annotations

from wsmsg.redis.connection import RedisScript

#: For how long a Connect that does not show itself keeps what it told, in seconds.
LEASE_S = 15
#: How old a connection elsewhere may be for it to be found, in seconds.
WINDOW_S = 60

_HEAD = """
local prefix, node = KEYS[1], ARGV[1]
local kept, life_of = 2592000, prefix .. 'beside:life:' .. node
local nodes, index = prefix .. 'beside:nodes', prefix .. 'beside:node:' .. node
local function conn(user, id) return 'conn:' .. user .. ':' .. id end
local function at(user) return prefix .. 'beside:user:' .. user end
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
  local place, theirs = at(user), false
  for _, id in ipairs(redis.call('SMEMBERS', place)) do
    if id == 'theirs' then
      theirs = true
    elseif redis.call('EXISTS', conn(user, id)) == 1 then
      return
    end
  end
  redis.call('DEL', place)
  if not theirs and not elsewhere(user) then
    redis.call('SREM', 'online_users', user)
  end
end
local function depart(user, id)
  local key = conn(user, id)
  local ours = redis.pcall('HGET', key, 'serverID') == node
  if ours then redis.call('DEL', key) end
  local known = redis.call('SREM', at(user), id) == 1
  if ours or known then left(user) end
end
"""

#: Then the heartbeat (unix s), how long a connection is kept (s), and for each the
#: user, the connection, the client's type and when it began (unix s).
#: Gives those, as C{user:connection}, whose name is somebody else's.
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
      redis.call('SREM', place, 'theirs')
    elseif redis.call('EXISTS', place) == 0 then
      redis.call('SADD', place, 'theirs')
    end
    redis.call('SADD', place, id)
    redis.call('EXPIRE', place, kept)
  end
end
redis.call('EXPIRE', index, kept)
return refused
"""
)

#: Then for each the user and the connection.
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

#: Then the most connections to remove.  Takes away what this node has told; gives
#: how many were removed: 0: nothing of it is left.
SWEEP = RedisScript(
    _HEAD
    + _DEPART
    + """
local told = redis.call('SPOP', index, ARGV[2])
for _, one in ipairs(told) do
  depart(string.match(one, '^(%d+):(.+)$'))
end
redis.call('DEL', life_of)
if #told == 0 then redis.call('ZREM', nodes, node) end
return #told
"""
)

#: Then this life of the node.  Renews its lease; gives the life that was known, and
#: some Connects of ours whose lease is over.
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
