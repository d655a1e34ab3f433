"""
Whether the store may lack what was accepted before this Message began.

A group is made by a record in the journal and known by the store.  A Message that was
killed in between leaves the record to its next life, whose clients may well ask sooner
than it is carried out: they must not be told for good that there is no such group.
"""

from __future__ import annotations

from twisted.internet.interfaces import IReactorTime

from wsmsg.dependency.state import Dependency
from wsmsg.message.journal.interface import IJournal

#: Under load the journal may never be without a record to settle: then so long.
LONGEST_S = 30.0


class StartupBacklog:
    """
    What the journal had before.
    """

    def __init__(self, journal: IJournal, clock: IReactorTime) -> None:
        self._journal = journal
        self._clock = clock
        self._until_s: float | None = None
        self._over = False
        journal.dependency.on_change(self._look)

    def may_be_unstored(self) -> bool:
        """
        Whether some of it may not be in the store: until the journal was seen with
        nothing to settle, as it is when it is opened, and at most L{LONGEST_S} from
        the first question on.
        """
        if self._over or not self._journal.dependency.up:
            return False
        now_s = self._clock.seconds()
        if self._until_s is None:
            self._until_s = now_s + LONGEST_S
        self._over = self._settled() or now_s >= self._until_s
        return not self._over

    def _look(self, dependency: Dependency) -> None:
        if dependency.up and self._settled():
            self._over = True

    def _settled(self) -> bool:
        counts = self._journal.counts()
        return counts["partitions"] > 0 and not counts["lag"]
