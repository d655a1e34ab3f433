"""
A deployed client is given each message once and in order, whatever happened.
"""

from __future__ import annotations

from tests.connect.legacy.clients.legacy_node import text
from tests.connect.legacy.clients.legacy_store import NOW_MS, FeedTestCase, texts
from wsmsg import model
from wsmsg.errors import Close, Forbidden, Unavailable
from wsmsg.events.recall import RECALL


class PushTests(FeedTestCase):
    """
    What is pushed.
    """

    def test_live(self) -> None:
        """
        Messages come as they are pushed, without a read; a repeat is dropped.
        """
        self.begin()
        self.push(*texts([4, 5, 5, 4, 6]))
        self.assertEqual(self.heard(), [4, 5, 6])
        self.assertEqual(self.store.pages, [])
        self.assertEqual(self.house.registry.counts.repeats, 2)
        self.assertEqual(self.house.registry.counts.pushed, 3)

    def test_gap(self) -> None:
        """
        What was skipped is read and comes first, over several pages, each once.
        """
        self.begin()
        self.push(*texts([1]))
        self.store.messages += texts(range(2, 12))
        self.push(*texts([12, 13]))
        self.assertEqual(self.heard(), list(range(1, 14)))

    def test_not_for_it(self) -> None:
        """
        Its user's own messages and events are not given, and leave no gap behind.
        """
        self.begin()
        own = text(2, sender=8, to=7)
        event = text(3, kind=RECALL)
        self.push(text(1), own, event, text(4))
        self.assertEqual(self.heard(), [1, 4])
        self.assertEqual(self.store.pages, [])

    def test_recalled(self) -> None:
        """
        What was taken back before it could be read is not given.
        """
        self.begin()
        self.push(text(1))
        self.store.messages += [text(2, kind=model.RECALLED), text(3)]
        self.push(text(4))
        self.assertEqual(self.heard(), [1, 3, 4])

    def test_to_oneself(self) -> None:
        """
        What a user says to themself they hear.
        """
        self.begin()
        self.push(text(1, sender=8, to=8))
        self.assertEqual(self.heard(), [1])

    def test_unreadable(self) -> None:
        """
        While nothing can be read what was skipped waits, and so do later ones; then
        all come.
        """
        self.begin()
        self.push(text(1))
        self.store.messages += [text(2)]
        self.store.fails = Unavailable("not now")
        self.push(text(3), text(4))
        self.assertEqual(self.heard(), [1])
        self.store.fails = None
        self.house.pass_time(0.05)
        self.assertEqual(self.heard(), [])
        self.house.pass_time(0.2)
        self.assertEqual(self.heard(), [2, 3, 4])

    def test_forbidden(self) -> None:
        """
        What the user may not read any more is passed over, and counted.
        """
        self.begin()
        self.push(text(1))
        self.store.fails = Forbidden("not a member")
        self.push(text(3))
        self.store.fails = None
        self.push(text(4))
        self.house.pass_time(1.1)
        self.assertEqual(self.heard(), [1, 4])
        self.assertEqual(self.house.legacy.counters.missed, 2)

    def test_hidden(self) -> None:
        """
        A number that the user is not to see is no reason to wait.
        """
        self.begin()
        self.push(text(1))
        self.push(text(4))
        self.push(text(5))
        self.assertEqual(self.heard(), [1, 4, 5])

    def test_not_stored_yet(self) -> None:
        """
        What is pushed and cannot be found is looked for again.
        """
        self.begin()
        self.push(text(1))
        self.push(text(3), stored=False)
        self.assertEqual(self.heard(), [1])
        self.store.messages += [text(2), text(3)]
        self.house.pass_time(1.1)
        self.assertEqual(self.heard(), [2, 3])

    def test_slow(self) -> None:
        """
        A client that reads slowly misses nothing: what it did not take is read for it
        when it does.
        """
        self.begin()
        self.client.session.outbox.pauseProducing()
        long = "1" * 400_000
        self.push(*(text(n, content=f"{n}{long}") for n in range(1, 9)))
        self.assertEqual(self.client.heard(), [])
        self.assertEqual(self.house.registry.counts.demoted, 1)
        self.client.session.outbox.resumeProducing()
        self.assertEqual(
            [content[:1] for content in self.client.texts()], list("12345678")
        )
        self.house.pass_time(60)
        self.assertIsNone(self.client.peer.code)

    def test_too_slow(self) -> None:
        """
        One that takes nothing at all is closed, as others are.
        """
        self.begin()
        self.client.session.outbox.pauseProducing()
        long = "1" * 400_000
        self.push(*(text(n, content=long) for n in range(1, 5)))
        self.house.pass_time(60)
        self.assertEqual(self.client.peer.code, Close.SLOW_CLIENT)


class ResyncTests(FeedTestCase):
    """
    What was pushed may be incomplete.
    """

    def test_known(self) -> None:
        """
        What was missed in a conversation is read, from where the client was.
        """
        self.begin()
        self.push(*texts([5, 6]))
        self.store.messages += texts([7, 8, 9, 10])
        self.client.session.resync("a stream was lost")
        self.assertEqual(self.heard(), [5, 6, 7, 8, 9, 10])
        self.push(*texts([11]))
        self.assertEqual(self.heard(), [11])

    def test_unknown(self) -> None:
        """
        In a conversation that was silent until then all is given that was said since
        the client connected, and no more.
        """
        before = [text(n, time_ms=NOW_MS - 60_000) for n in (1, 2, 3)]
        self.begin()
        self.store.messages += [*before, *texts([4, 5])]
        self.client.session.resync("a stream was lost")
        self.assertEqual(self.heard(), [4, 5])

    def test_where_it_was(self) -> None:
        """
        Where the conversations were when the client came is known, so what is older
        is not given, however young.
        """
        self.begin([text(n, time_ms=NOW_MS - 500) for n in (1, 2)])
        self.store.messages += texts([3])
        self.client.session.resync("a stream was lost")
        self.assertEqual(self.heard(), [3])

    def test_many(self) -> None:
        """
        However many conversations changed, each is looked at.
        """
        self.begin()
        for other in range(100, 110):
            self.store.messages += texts([1], sender=other)
        self.client.session.resync("a stream was lost")
        self.assertEqual(self.heard(), [1] * 10)

    def test_in_vain(self) -> None:
        """
        When nothing can be read it is tried again.
        """
        self.begin()
        self.store.messages += texts([1])
        self.store.fails = Unavailable("not now")
        self.client.session.resync("a stream was lost")
        self.store.fails = None
        self.house.pass_time(1.1)
        self.assertEqual(self.heard(), [1])

    def test_gone(self) -> None:
        """
        For a client that went nothing is read any more.
        """
        self.begin()
        self.store.fails = Unavailable("not now")
        self.client.session.resync("a stream was lost")
        self.client.drop()
        self.store.fails = None
        before = len(self.store.pages)
        self.house.pass_time(5)
        self.assertEqual(len(self.store.pages), before)
