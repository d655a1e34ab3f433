"""
The ages of the oldest messages in each step of delivery, and what stands still.
"""

from __future__ import annotations

from twisted.internet.defer import Deferred

from tests.message.delivery.cases import ReaderTestCase, message
from wsmsg.model import Message
from wsmsg.settings.values import MessageSettings


class ProgressTests(ReaderTestCase):
    """
    A reader of which a step stands still.
    """

    def seconds(self, n: int) -> list[str]:
        """
        Let seconds pass, and return what is said in each.
        """
        said = []
        for _ in range(n):
            said.append(self.reader.stalled())
            self.clock.advance(1)
        said.append(self.reader.stalled())
        return said

    def assert_silent_for(self, n: int, step: str) -> None:
        """
        Check that the step is named after so many seconds, and not before.
        """
        said = self.seconds(n)
        self.assertEqual(said[:-1], [""] * n)
        self.assertIn(step, said[-1])

    def test_idle(self) -> None:
        """
        A reader without records stands still nowhere.
        """
        self.assertEqual(self.seconds(60), [""] * 61)
        self.assertEqual(self.reader.oldest_unstored_s(), 0)
        self.assertEqual(self.reader.oldest_unsettled_s(), 0)

    def test_storing(self) -> None:
        """
        A store that answers no insert is named; the age is that of the message, not
        that of the batch alone.
        """
        insert = self.store.insert
        hanging: Deferred[object] = Deferred()
        self.store.insert = (  # type: ignore[method-assign]
            lambda *_: hanging  # type: ignore[assignment]
        )
        self.unix_s = 65.0
        accepted = Message("u:1:2", 1, "c", 7, "hi", 1, 60_000)
        self.journal.give(accepted)
        self.assert_silent_for(5, "storing stands still")
        self.assertEqual(self.reader.oldest_unstored_s(), 10.0)
        self.store.insert = insert  # type: ignore[method-assign]
        hanging.errback(RuntimeError("a bug"))
        self.flushLoggedErrors(RuntimeError)
        self.clock.advance(1)
        self.assertEqual(len(self.store.messages), 1)
        self.assertEqual(self.reader.stalled(), "")
        self.assertEqual(self.reader.oldest_unstored_s(), 0)

    def test_pushing(self) -> None:
        """
        A push that nobody acknowledges is named.
        """
        link = self.connect()
        self.journal.give(message(1))
        self.assert_silent_for(5, "pushing stands still")
        self.assertEqual(self.reader.oldest_unsettled_s(), 5.0)
        self.acknowledge(link)
        self.assertEqual(self.reader.stalled(), "")
        self.assertEqual(self.reader.oldest_unsettled_s(), 0)

    def test_reading(self) -> None:
        """
        A journal that has records and returns none is named.
        """
        self.journal.unread = 3
        self.assert_silent_for(5, "reading the journal stands still")
        self.assertEqual(self.reader.oldest_unstored_s(), 5.0)
        self.journal.give(message(1))
        self.assertEqual(self.seconds(4), [""] * 5)
        self.journal.unread = 0
        self.assertEqual(self.seconds(10), [""] * 11)

    def test_behind(self) -> None:
        """
        A reader that has much to read, and reads on, does not stand still.
        """
        self.journal.unread = 1000
        for n in range(1, 20):
            self.journal.give(message(n))
            self.assertEqual(self.seconds(3), [""] * 4)

    def test_journal_away(self) -> None:
        """
        While the journal is away, its dependency says so, and nothing else.
        """
        self.journal.unread = 3
        self.journal.dependency.lost("gone")
        self.assertEqual(self.seconds(10), [""] * 11)
        self.journal.dependency.succeeded()
        self.assert_silent_for(5, "reading the journal stands still")

    def test_limit(self) -> None:
        """
        The limit follows a reload.
        """
        self.reader.apply_settings(MessageSettings(stalled_s=2))
        self.journal.unread = 3
        self.assert_silent_for(2, "reading the journal stands still")

    def test_reading_ended(self) -> None:
        """
        A reader whose loop has ended for whatever reason is noticed by what it leaves.
        """
        assert self.reader._done is not None
        self.journal.unread = 1
        self.journal.reads.pop(0).errback(KeyboardInterrupt())
        self.flushLoggedErrors(KeyboardInterrupt)
        self.assertTrue(self.reader._done.called)
        self.assert_silent_for(5, "reading the journal stands still")
