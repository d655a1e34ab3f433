"""
Messages that a killed Message had accepted and not stored.
"""

from __future__ import annotations

from collections.abc import Mapping

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tests.message.doubles import ManualJournal
from tests.message.ingress.group_case import GroupCase
from tests.message.store.group_contract import CREW
from wsmsg.message.log.backlog import LONGEST_S, StartupBacklog


class LaggingJournal(ManualJournal):
    """
    A journal with a number of records to settle.
    """

    def __init__(self, lag: int, partitions: int = 1, *, started: bool = True) -> None:
        super().__init__()
        self.lag, self.partitions = lag, partitions
        if started:
            self.start()

    def counts(self) -> Mapping[str, int]:
        return {"lag": self.lag, "in_flight": 0, "partitions": self.partitions}


class EarlierTests(SynchronousTestCase):
    """
    L{StartupBacklog}.
    """

    def test_settled(self) -> None:
        """
        Once the journal has nothing to settle, the store has all of the backlog,
        whatever arrives later.
        """
        journal = LaggingJournal(3)
        backlog = StartupBacklog(journal, Clock())
        self.assertTrue(backlog.may_be_unstored())
        journal.lag = 0
        self.assertFalse(backlog.may_be_unstored())
        journal.lag = 5
        self.assertFalse(backlog.may_be_unstored())

    def test_nothing_before(self) -> None:
        """
        A journal that opens with nothing to settle has no backlog, whatever arrives
        before the first call.
        """
        journal = LaggingJournal(0, started=False)
        backlog = StartupBacklog(journal, Clock())
        self.assertFalse(backlog.may_be_unstored())
        journal.start()
        journal.lag = 5
        self.assertFalse(backlog.may_be_unstored())

    def test_no_partition_yet(self) -> None:
        """
        A Message without partitions cannot know that there is no backlog.
        """
        journal = LaggingJournal(0, partitions=0)
        backlog = StartupBacklog(journal, Clock())
        self.assertTrue(backlog.may_be_unstored())
        journal.partitions = 2
        self.assertFalse(backlog.may_be_unstored())

    def test_for_ever(self) -> None:
        """
        Under constant load the backlog ends some time after the first call.
        """
        clock = Clock()
        backlog = StartupBacklog(LaggingJournal(1), clock)
        clock.advance(100)
        self.assertTrue(backlog.may_be_unstored())
        clock.advance(LONGEST_S - 0.001)
        self.assertTrue(backlog.may_be_unstored())
        clock.advance(0.001)
        self.assertFalse(backlog.may_be_unstored())


class RestartTests(GroupCase):
    """
    Groups that were created before this Message began.
    """

    def make_journal(self) -> ManualJournal:
        self.lagging = LaggingJournal(1)
        return self.lagging

    def test_group_not_stored_yet(self) -> None:
        """
        A sender to a group that the store does not know yet is asked to try again, and
        is a member once it does; the order of the messages stays.
        """
        self.send("a", to="g:8")
        self.send("b", to="g:8")
        self.assertEqual(self.codes(), {"a": "unavailable", "b": "unavailable"})
        self.store.groups["g:8"] = self.store.groups[CREW]
        self.lagging.lag = 0
        self.answers.clear()
        self.now += 1000
        self.send("a", to="g:8")
        self.send("b", to="g:8")
        self.assertEqual(self.codes(), {"a": "accepted", "b": "accepted"})

    def test_change_not_stored_yet(self) -> None:
        """
        So is its owner who changes it; a sender who is not a member is refused in the
        end.
        """
        self.change("a", sender=3, add=[4])
        self.assertEqual(self.codes(), {"a": "unavailable"})
        self.lagging.lag = 0
        self.answers.clear()
        self.now += 1000
        self.change("a", sender=3, add=[4])
        self.assertEqual(self.codes(), {"a": "forbidden"})
