"""
The log with a journal: a message is accepted when the journal has it, and a reader
takes it from there to the store and to its recipients.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Coroutine, Mapping
from typing import Any, Protocol

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from zope.interface import implementer

from wsmsg.message.journal.interface import IJournal
from wsmsg.message.log.appends import Appends
from wsmsg.message.log.interface import IMessageLog, LogTimings
from wsmsg.message.store.interface import IMessages
from wsmsg.message.traces.interface import IMessageTraces
from wsmsg.settings.values import MessageSettings


class Reader(Protocol):
    """
    The parts of L{wsmsg.message.delivery.reader.JournalReader} that the log uses.
    """

    read: int
    timings: LogTimings
    dead_letters: Counter[str]

    @property
    def unsettled(self) -> int: ...

    def start(self) -> None: ...

    def stop(self) -> Coroutine[Any, Any, None]: ...

    def apply_settings(self, settings: MessageSettings) -> None: ...

    def caught_up(self) -> Deferred[None]: ...

    def stalled(self) -> str: ...

    def oldest_unstored_s(self) -> float: ...

    def oldest_unsettled_s(self) -> float: ...


@implementer(IMessageLog)
class JournaledLog:
    """
    The log over a journal.

    @param reader: takes the records of the journal to the store and to the links.
    @param traces: as for L{Appends}.
    """

    decides = False

    def __init__(
        self,
        journal: IJournal,
        store: IMessages,
        clock: IReactorTime,
        reader: Reader,
        traces: IMessageTraces | None = None,
    ) -> None:
        self.clock = clock
        self._journal = journal
        self._reader = reader
        self.timings = reader.timings
        appends = Appends(journal, store, clock, reader.timings, traces)
        self._appends = appends
        self.add = appends.add
        self.may_be_unstored = appends.may_be_unstored
        self.dead_letters = journal.dead_letters
        self.replay = journal.replay
        self.counts = journal.counts
        self.caught_up = reader.caught_up
        self.stalled = reader.stalled
        self.oldest_unstored_s = reader.oldest_unstored_s
        self.oldest_unsettled_s = reader.oldest_unsettled_s
        self.apply_settings = reader.apply_settings

    @property
    def content_bytes(self) -> int:
        return self._journal.content_bytes

    @property
    def retention_s(self) -> float:
        return self._journal.retention_s

    @property
    def apart(self) -> bool:
        return self._appends.apart

    @property
    def read(self) -> int:
        return self._reader.read

    @property
    def dead_lettered(self) -> Mapping[str, int]:
        return self._reader.dead_letters

    @property
    def unsettled(self) -> int:
        return self._reader.unsettled

    def start(self) -> None:
        self._journal.start()
        self._reader.start()

    async def stop(self) -> None:
        reading = Deferred.fromCoroutine(self._reader.stop())
        await self._journal.stop()
        await reading
