"""
The list of Messages in Redis, which Connects read, and the node numbers in message ids.

============ ======================================================================
key          value (after the prefix)
============ ======================================================================
C{messages}  sorted set: the gRPC address of each Message, scored by the end of its
             lease (ms)
C{number:n}  the Message that gives out message ids with node number n; with a lease
============ ======================================================================

Each Message renews its own leases every second and removes the addresses whose lease
has expired, so that readers of the set need no clock.  Without any Message the set
expires.
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
from wsmsg.redis.connection import Execute, RedisConnection, RedisScript
from wsmsg.settings.urls.redis import RedisUrl

LEASE_S = 5.0
#: Longer, as two Messages with one number could give out equal ids.
_NUMBER_S = 60.0
_RENEWAL_S = 1.0

_NOW = """
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local all = KEYS[1] .. 'messages'
"""

#: Arguments: address, lease (ms).  Returns all addresses.
_ENLIST = RedisScript(
    _NOW
    + """
redis.call('ZREMRANGEBYSCORE', all, '-inf', string.format('%.0f', now))
redis.call('ZADD', all, string.format('%.0f', now + ARGV[2]), ARGV[1])
redis.call('PEXPIRE', all, ARGV[2])
return redis.call('ZRANGE', all, 0, -1)
"""
)

#: Arguments: owner, lease (ms), wanted number, count of numbers.  Returns the
#: number that the owner has now, the wanted one if possible; -1: all are taken.
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

#: Arguments: owner, address, number.  Removes the leases of the owner.
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
    The entry of this Message in the list.  Provides
    L{wsmsg.message.cluster.interface.IMessageList}.

    @param address: the address at which Connects reach this Message.
    @param number: the node number in message ids, until Redis says that another
        Message has it.
    @param renumber: called with the number to use from now on; L{None}: the operator
        chose the number, and it stays.
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
        self.address = address
        self.dependency = dependency
        self.number = number
        self._others: frozenset[str] | None = None
        self._listeners: list[OthersListener] = []
        self._renumber = renumber
        self._owner = uuid.uuid4().hex
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
        Be in the list from now on, whenever Redis is up.
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
            left = self._redis.run(_LEAVE, self._owner, self.address, self.number)
        left.addErrback(lambda _: None)  # the lease expires
        return left.addCallback(lambda _: self._redis.stop())

    def on_others(self, listener: OthersListener) -> None:
        """
        Call C{listener} with the addresses of all other Messages; see
        L{wsmsg.message.cluster.interface.IMessageList}.
        """
        self._listeners.append(listener)
        if self._others is not None:
            listener(self._others)

    def _check(self, execute: Execute) -> Deferred[Any]:
        # Renewing the lease shows that Redis can do what the list needs.
        lease_ms = int(LEASE_S * 1000)
        asked = execute(
            "EVALSHA", _ENLIST.sha, 1, self._redis.url.prefix, self.address, lease_ms
        )
        return asked.addCallback(self._listed)

    def _listed(self, found: Sequence[str]) -> None:
        self._others = frozenset(found) - {self.address}
        for listener in self._listeners:
            listener(self._others)

    def _changed(self, dependency: Dependency) -> None:
        if self._renewing.running:
            self._renewing.stop()
        if dependency.up and self._renumber is not None:
            self._renewing.start(_RENEWAL_S)

    def _renew(self) -> Deferred[Any]:
        lease_ms = int(_NUMBER_S * 1000)
        asked = self._redis.run(_NUMBER, self._owner, lease_ms, self.number, NUMBERS)
        # The connection reports a failure as a loss of Redis.
        asked.addCallbacks(self._numbered, lambda _: None)
        # LoopingCall makes no further call after a failure.
        return asked.addErrback(
            lambda failure: self._log.failure("the node number is not renewed", failure)
        )

    def _numbered(self, number: int) -> None:
        if number == self.number or self._renumber is None:
            return
        if number < 0:
            self._log.warn("all {n} node numbers of message ids are taken", n=NUMBERS)
            return
        self._log.info(
            "message ids use node number {number}, as another Message has {taken}",
            number=number,
            taken=self.number,
        )
        self.number = number
        self._renumber(number)
