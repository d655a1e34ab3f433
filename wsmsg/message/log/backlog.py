"""
The backlog: records that were accepted before this Message began, and that the store
may lack.

A record in the journal creates a group, and only the store knows the groups.  A Message
that is killed in between leaves the record to its next run, whose clients may ask for
the group before it is stored.  They must not be told for good that there is no such
group.
"""

from __future__ import annotations

from twisted.internet.interfaces import IReactorTime

from wsmsg.dependency.state import Dependency
from wsmsg.message.journal.interface import IJournal

#: The longest time of the backlog, as under load the journal may never be settled.
LONGEST_S = 30.0


class StartupBacklog:
    """
    The records that the journal had when this Message began.
    """

    def __init__(self, journal: IJournal, clock: IReactorTime) -> None:
        self._journal = journal
        self._clock = clock
        self._until_s: float | None = None
        self._over = False
        journal.dependency.on_change(self._check)

    def may_be_unstored(self) -> bool:
        """
        Return whether the store may lack some of these records.  The answer is yes
        until the journal has nothing to settle, which is checked when it opens and at
        each call, and at most for L{LONGEST_S} after the first call.
        """
        if self._over or not self._journal.dependency.up:
            return False
        now_s = self._clock.seconds()
        if self._until_s is None:
            self._until_s = now_s + LONGEST_S
        self._over = self._settled() or now_s >= self._until_s
        return not self._over

    def _check(self, dependency: Dependency) -> None:
        if dependency.up and self._settled():
            self._over = True

    def _settled(self) -> bool:
        counts = self._journal.counts()
        return counts["partitions"] > 0 and not counts["lag"]
