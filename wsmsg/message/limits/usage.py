"""
The bytes that users have stored today, saved every few seconds, for all Messages.

What the meters have counted is added to the store's numbers, in one batch, and the
store answers with the totals, which other Messages have added to as well.  So a user
may pass the limit by what was counted and not saved: at most L{SAVE_S} of sends at each
Message, also after a Message was killed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from wsmsg.dependency.state import Dependency
from wsmsg.errors import WsmsgError
from wsmsg.message.limits.meters import UserMeters
from wsmsg.message.store.interface import IUsage, UsageRow
from wsmsg.text.counted import plural

#: The interval at which the numbers are saved.
SAVE_S: Final = 5.0
#: The kinds of numbers in the store.
BYTES: Final = 1
STRANGERS: Final = 2

# Users of one batch, so that no message waits long for the store.
_AT_ONCE = 1000


class UsageSaver:
    """
    Saves what the meters count, from L{start} to L{stop}.

    @param dependency: the state of the store.
    """

    _log = Logger()

    def __init__(
        self,
        meters: UserMeters,
        usage: IUsage,
        dependency: Dependency,
        clock: IReactorTime,
    ) -> None:
        self._meters = meters
        self._usage = usage
        self._dependency = dependency
        self._saving: Deferred[None] | None = None
        self._forgotten = 0
        self._loop = LoopingCall(self._each_time)
        self._loop.clock = clock

    def start(self) -> None:
        """
        Begin to save.
        """
        self._loop.start(SAVE_S, now=False)

    def stop(self) -> Deferred[None]:
        """
        Save what is left, if the store is there.

        @return: a Deferred that fires when that is done; never fails.
        """
        if self._loop.running:
            self._loop.stop()
        waiting: Deferred[None] = Deferred()
        if self._saving is None:
            self._each_time()
        if self._saving is None:
            return succeed(None)
        self._saving.addBoth(lambda _: waiting.callback(None))
        return waiting

    def _each_time(self) -> None:
        day = self._meters.turn()
        if self._saving is not None or not self._dependency.up:
            return
        counted = self._meters.take_unsaved()
        if not counted and day == self._forgotten:
            return
        self._saving = Deferred.fromCoroutine(self._save(day, counted))
        self._saving.addErrback(
            lambda failure: self._log.failure("saving the usage of users", failure)
        )
        self._saving.addBoth(self._saved)

    def _saved(self, _: object) -> None:
        self._saving = None

    async def _save(self, day: int, counted: Sequence[tuple[int, int]]) -> None:
        rows = [UsageRow(user, BYTES, day, amount) for user, amount in counted]
        try:
            for i in range(0, len(rows), _AT_ONCE):
                some = rows[i : i + _AT_ONCE]
                totals = await self._usage.add(some)
                for row, total in zip(some, totals, strict=True):
                    self._meters.saved(row.user, total, day)
            if day != self._forgotten:
                await self._usage.forget(BYTES, day)
                await self._usage.forget(STRANGERS, day * 24)
                self._forgotten = day
        except WsmsgError as e:
            # A few seconds of numbers are lost; counted twice, they would do more harm.
            self._log.warn(
                "the bytes that {n} {noun} stored could not be counted: {reason}",
                n=len(rows),
                noun=plural(len(rows), "user"),
                reason=e.reason,
            )
