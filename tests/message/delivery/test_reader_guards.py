"""
Tests of the loop from the journal to the recipients, where one of its steps raises.
"""

from __future__ import annotations

from tests.message.delivery.cases import ReaderTestCase, message


class GuardTests(ReaderTestCase):
    """
    No exception ends the loop.
    """

    def test_a_push_that_fails(self) -> None:
        """
        If a batch that is stored cannot be pushed, the sessions of all Connects sync,
        the records are committed, and the next batch is pushed as before.
        """
        link = self.connect()
        push = self.links.push

        def broken(*_: object) -> None:
            self.links.push = push  # type: ignore[method-assign]
            raise RuntimeError("a bug")

        self.links.push = broken  # type: ignore[method-assign,assignment]
        self.journal.give(message(1))
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)
        self.assertEqual(len(self.store.messages), 1)
        self.assertEqual(self.journal.commits, [{0: 1}])
        self.assertFalse(link.resumable(0))
        link = self.connect()
        self.journal.give(message(2))
        self.acknowledge(link)
        self.assertEqual(self.journal.commits, [{0: 1}, {0: 2}])

    def test_a_push_that_fails_halfway(self) -> None:
        """
        A batch that only some links have received before the failure is settled once.
        """
        link = self.connect()

        def broken(*_: object) -> None:
            raise RuntimeError("a bug")

        self.patch(link, "push", broken)
        self.journal.give(message(1))
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)
        self.assertEqual(self.journal.commits, [{0: 1}])
        self.assertEqual(self.reader.unsettled, 0)

    def test_a_listener_that_fails(self) -> None:
        """
        A failure of the listener for stored messages does not keep them from being
        pushed.
        """

        def broken(_: object) -> None:
            raise RuntimeError("a bug")

        self.patch(self.reader._pushes, "_on_stored", broken)
        link = self.connect()
        self.journal.give(message(1))
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)
        self.acknowledge(link)
        self.assertEqual(self.journal.commits, [{0: 1}])

    def test_a_read_that_fails(self) -> None:
        """
        After a read that fails the reader waits and reads again; while reads fail, the
        delays grow.
        """
        for delay_s in (1, 2):
            self.journal.reads.pop(0).errback(RuntimeError("a bug"))
            self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)
            self.clock.advance(delay_s - 0.1)
            self.assertEqual(self.journal.reads, [])
            self.clock.advance(0.1)
        self.journal.give(message(1))
        self.assertEqual(self.journal.commits, [{0: 1}])
        self.journal.reads.pop(0).errback(RuntimeError("a bug"))
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)
        self.clock.advance(1)
        self.journal.give(message(2))
        self.assertEqual(self.journal.commits, [{0: 1}, {0: 2}])

    def test_a_commit_that_fails(self) -> None:
        """
        A commit that raises does not keep a reader that waits for room from reading,
        and the next commit includes its records.
        """
        link = self.connect()
        commit = self.journal.commit

        def broken(_: object) -> None:
            self.journal.commit = commit  # type: ignore[method-assign]
            raise RuntimeError("a bug")

        self.journal.commit = broken  # type: ignore[method-assign,assignment]
        self.journal.give(message(1), message(2), message(3))
        self.assertEqual(self.journal.reads, [])
        self.acknowledge(link)
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)
        self.assertEqual(len(self.journal.reads), 1)
        self.journal.give(message(4))
        self.acknowledge(link)
        self.assertEqual(self.journal.commits, [{0: 4}])
