"""
Reserved message ids: no id is given out twice, even if the system clock is set back
while Message is down.

The ids that a Message may give out are reserved in the store before they are used: a
time is stored for the node number, and all ids are below it.  The next life of a
Message with this number begins behind that time, whatever its clock says.  Until its
first reservation is stored, a Message refuses sends.
"""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from wsmsg.dependency.state import Dependency
from wsmsg.errors import Unavailable
from wsmsg.message.cluster.message_ids import SPARE_MS, MessageIds
from wsmsg.message.store.interface import IReservations

#: How far ids are reserved ahead of the clock.
AHEAD_MS = 30_000 + SPARE_MS
#: A reservation is renewed when this is left of it, so about every ten seconds.
_LEAST_MS = 20_000 + SPARE_MS
_LOOK_S = 1.0


class IdReservation:
    """
    Reserves the ids of this Message ahead of its clock.

    @param close: called with the reason while ids must not be given out; with an empty
        text when they may be.
    """

    _log = Logger()

    def __init__(
        self,
        ids: MessageIds,
        store: IReservations,
        reactor: IReactorTime,
        close: Callable[[str], object],
    ) -> None:
        self._ids = ids
        self._store = store
        self._close = close
        self._number = -1
        self._until_ms = 0
        self._asking: Deferred[None] | None = None
        self._tried: Deferred[None] = Deferred()
        self._loop = LoopingCall(self._each_second)
        self._loop.clock = reactor

    @property
    def node_number(self) -> int:
        return self._ids.node_number

    def start(self) -> Deferred[None]:
        """
        @return: a Deferred that fires when ids are reserved, or after a second without
            the store; then they are reserved as soon as it is there.
        """
        self._close("the message ids are not reserved in the store yet")
        self._store.dependency.on_change(self._changed)
        self._loop.start(_LOOK_S, now=False)
        self._look()
        return self._tried

    def stop(self) -> None:
        """
        Reserve no more.
        """
        if self._loop.running:
            self._loop.stop()

    def renumber(self, node_number: int) -> None:
        """
        Give out ids with another node number, when they are reserved.
        """
        self._ids.renumber(node_number)
        if node_number != self._number:
            self._close("the message ids of a new node number are not reserved yet")
            self._look()

    def _changed(self, dependency: Dependency) -> None:
        if self._loop.running:
            self._look()

    def _each_second(self) -> None:
        self._look()
        if self._asking is None:
            self._first_try_is_over()

    def _first_try_is_over(self) -> None:
        if not self._tried.called:
            self._tried.callback(None)

    def _look(self) -> None:
        if self._asking is not None or not self._store.dependency.up:
            return
        if (
            self._number == self._ids.node_number
            and self._ids.horizon_ms() + _LEAST_MS < self._until_ms
        ):
            return
        self._asking = Deferred.fromCoroutine(self._reserve())
        self._asking.addBoth(self._asked)

    def _asked(self, result: object) -> None:
        self._asking = None
        self._first_try_is_over()

    async def _reserve(self) -> None:
        try:
            number = self._ids.node_number
            until_ms, before_ms = await self._reserved(number)
            if number != self._number:
                # An earlier Message with this number gave out ids up to that time; or,
                # if the store is an older copy, up to what it reserved by its clock.
                if before_ms:
                    before_ms = max(before_ms, self._ids.horizon_ms() + AHEAD_MS)
                self._ids.begin_behind(before_ms)
                while until_ms < self._ids.horizon_ms() + _LEAST_MS:
                    until_ms, _ = await self._reserved(number)
        except Unavailable:
            return
        except Exception:  # noqa: BLE001 - a guard
            self._log.failure("reserving message ids")
            return
        if number != self._ids.node_number:
            return
        self._ids.use_until(until_ms)
        self._until_ms = until_ms
        if number != self._number:
            self._number = number
            self._close("")

    async def _reserved(self, number: int) -> tuple[int, int]:
        until_ms = self._ids.horizon_ms() + AHEAD_MS
        before_ms: int = await self._store.reserve_ids(number, until_ms)
        return until_ms, before_ms
