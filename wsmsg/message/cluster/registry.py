"""
The list of Messages in Redis, which Connects read, and the numbers in message ids.

============ ======================================================================
key          value (after the prefix)
============ ======================================================================
C{messages}  sorted set: the gRPC address of each Message by the end of its lease (ms)
C{number:n}  who gives out message ids with this number; a lease too
============ ======================================================================

Each Message renews its own every second and clears away addresses whose lease is over,
so that whoever reads the set needs no clock; where nobody lives the set expires.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from wsmsg.dependency.retry import RetryPolicy
from wsmsg.dependency.state import Dependency
from wsmsg.message.cluster.interface import OthersListener
from wsmsg.message.cluster.message_ids import NUMBERS
from wsmsg.redis.connection import Ask, RedisConnection, RedisScript
from wsmsg.settings.urls.redis import RedisUrl

LEASE_S = 5.0
#: Longer, since ids of two Messages with one number may be equal.
_NUMBER_S = 60.0
_RENEWAL_S = 1.0

_NOW = """
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local all = KEYS[1] .. 'messages'
"""

#: address, lease (ms): all addresses there are.
_ENLIST = RedisScript(
    _NOW
    + """
redis.call('ZREMRANGEBYSCORE', all, '-inf', string.format('%.0f', now))
redis.call('ZADD', all, string.format('%.0f', now + ARGV[2]), ARGV[1])
redis.call('PEXPIRE', all, ARGV[2])
return redis.call('ZRANGE', all, 0, -1)
"""
)

#: who, lease (ms), a number, of how many: the number that is ours, this if it can be;
#: -1: there is none.
_NUMBER = RedisScript(
    """
for i = 0, ARGV[4] - 1 do
  local n = (ARGV[3] + i) % ARGV[4]
  local key = KEYS[1] .. 'number:' .. string.format('%d', n)
  if redis.call('GET', key) == ARGV[1] then
    redis.call('PEXPIRE', key, ARGV[2])
    return n
  end
  if redis.call('SET', key, ARGV[1], 'NX', 'PX', ARGV[2]) then return n end
end
return -1
"""
)

#: who, address, number: what is ours is there no more.
_LEAVE = RedisScript(
    """
redis.call('ZREM', KEYS[1] .. 'messages', ARGV[2])
local key = KEYS[1] .. 'number:' .. ARGV[3]
if redis.call('GET', key) == ARGV[1] then redis.call('DEL', key) end
return 1
"""
)


class RedisRegistry:
    """
    This Message's place in the list.

    @param address: where Connects reach it.
    @param number: that of its message ids, until Redis says that it is another's.
    @param renumber: told the number from which on it shall be; L{None}: the number
        was chosen by the operator and stays.
    """

    _log = Logger()

    def __init__(
        self,
        url: RedisUrl,
        reactor: Any,
        *,
        address: str,
        number: int,
        renumber: Callable[[int], object] | None,
        retry: RetryPolicy,
        dependency: Dependency,
    ) -> None:
        self.dependency = dependency
        self.number = number
        self._others: frozenset[str] | None = None
        self._listeners: list[OthersListener] = []
        self._address = address
        self._renumber = renumber
        self._who = uuid.uuid4().hex
        self._redis = RedisConnection(
            url,
            reactor,
            retry=retry,
            dependency=dependency,
            check=self._check,
            scripts=(_ENLIST, _NUMBER, _LEAVE),
        )
        self._renewing = LoopingCall(self._renew)
        self._renewing.clock = reactor
        dependency.on_change(self._changed)

    def start(self) -> None:
        """
        Be in the list from now on, whenever Redis is there.
        """
        self._redis.start()

    def stop(self) -> Deferred[None]:
        """
        Leave the list.

        @return: a Deferred that fires when nothing is left; never fails.
        """
        if self._renewing.running:
            self._renewing.stop()
        left: Deferred[Any] = succeed(None)
        if self._redis.up:
            left = self._redis.run(_LEAVE, self._who, self._address, self.number)
        left.addErrback(lambda _: None)  # then the lease runs out
        return left.addCallback(lambda _: self._redis.stop())

    def on_others(self, listener: OthersListener) -> None:
        """
        Call C{listener} with the addresses of all other Messages; see
        L{wsmsg.message.cluster.interface.IMessageList}.
        """
        self._listeners.append(listener)
        if self._others is not None:
            listener(self._others)

    def _check(self, ask: Ask) -> Deferred[Any]:
        # What shows that Redis serves us is what we need of it.
        lease_ms = int(LEASE_S * 1000)
        asked = ask(
            "EVALSHA", _ENLIST.sha, 1, self._redis.url.prefix, self._address, lease_ms
        )
        return asked.addCallback(self._listed)

    def _listed(self, found: Sequence[str]) -> None:
        self._others = frozenset(found) - {self._address}
        for listener in self._listeners:
            listener(self._others)

    def _changed(self, dependency: Dependency) -> None:
        if self._renewing.running:
            self._renewing.stop()
        if dependency.up and self._renumber is not None:
            self._renewing.start(_RENEWAL_S)

    def _renew(self) -> Deferred[Any]:
        lease_ms = int(_NUMBER_S * 1000)
        asked = self._redis.run(_NUMBER, self._who, lease_ms, self.number, NUMBERS)
        # A failure is a loss of Redis, and told as that.
        return asked.addCallbacks(self._numbered, lambda _: None)

    def _numbered(self, number: int) -> None:
        if number == self.number or self._renumber is None:
            return
        if number < 0:
            self._log.warn("all {n} numbers of message ids are taken", n=NUMBERS)
            return
        self._log.info(
            "message ids have the number {number}, as {taken} is another Message's",
            number=number,
            taken=self.number,
        )
        self.number = number
        self._renumber(number)
