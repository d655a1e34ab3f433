"""
The journal of an earlier version, beside a log that has none.

Messages that were accepted into it are stored before any new one is accepted, so that
the order of their senders holds.  Its dead letters can be listed and replayed as
before.  When the daemon stops and the journal has nothing left, its file is removed.
"""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from wsmsg.dependency.state import Dependency
from wsmsg.errors import Unavailable
from wsmsg.message.delivery.reader import JournalReader
from wsmsg.message.journal.interface import IJournal

_WHY = "messages that an earlier version accepted are being stored"


class OldJournal:
    """
    Drains a journal, and keeps it while it has dead letters.

    @param close: called with the reason why no message must be accepted now; empty:
        there is none any more.
    @param remove: removes the file of the journal, which is closed.
    @ivar drained: whether the store has had all of its messages.
    """

    _log = Logger()

    def __init__(
        self,
        journal: IJournal,
        reader: JournalReader,
        *,
        close: Callable[[str], object],
        remove: Callable[[], object],
    ) -> None:
        self.drained = False
        self.journal = journal
        self.reader = reader
        self._close = close
        self._remove = remove
        self._waits = False
        journal.dependency.on_change(self._changed)

    def start(self) -> None:
        """
        Open the journal and begin to drain it.
        """
        self._close(_WHY)
        self.journal.start()
        self.reader.start()

    async def stop(self) -> None:
        """
        Close the journal, and remove its file if it has nothing left.
        """
        is_empty = await self._is_empty()
        reading = Deferred.fromCoroutine(self.reader.stop())
        await self.journal.stop()
        await reading
        if is_empty:
            with self._log.failuresHandled("the old journal cannot be removed"):
                self._remove()
                self._log.info("the journal of an earlier version is empty and removed")

    async def _is_empty(self) -> bool:
        if not self.drained or self.reader.unsettled or self.journal.counts()["unread"]:
            return False
        try:
            return not await self.journal.dead_letters(0, 1)
        except Unavailable:
            return False

    def _changed(self, dependency: Dependency) -> None:
        if dependency.up and not self._waits:
            self._waits = True
            self.reader.caught_up().addCallback(self._caught_up).addErrback(
                lambda failure: self._log.failure("draining the journal", failure)
            )

    def _caught_up(self, _: None) -> None:
        self.drained = True
        self._log.info("all messages that an earlier version accepted are stored")
        self._close("")
