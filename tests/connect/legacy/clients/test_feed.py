"""
A legacy client gets each message once and in order, whatever happened.
"""

from __future__ import annotations

from tests.connect.legacy.clients.legacy_node import text
from tests.connect.legacy.clients.legacy_store import NOW_MS, FeedTestCase, texts
from wsmsg import model
from wsmsg.errors import Close, Forbidden, Unavailable
from wsmsg.events.recall import RECALL


class PushTests(FeedTestCase):
    """
    Pushed messages.
    """

    def test_live(self) -> None:
        """
        Messages reach the client as they are pushed, without a read; a repeat is
        dropped.
        """
        self.begin()
        self.push(*texts([4, 5, 5, 4, 6]))
        self.assertEqual(self.heard(), [4, 5, 6])
        self.assertEqual(self.store.pages, [])
        self.assertEqual(self.node.registry.counters.repeats, 2)
        self.assertEqual(self.node.registry.counters.pushed, 3)

    def test_gap(self) -> None:
        """
        Skipped messages are read and come first, over several pages, each once.
        """
        self.begin()
        self.push(*texts([1]))
        self.store.messages += texts(range(2, 12))
        self.push(*texts([12, 13]))
        self.assertEqual(self.heard(), list(range(1, 14)))

    def test_not_for_it(self) -> None:
        """
        The user's own messages and events are not sent, and leave no gap.
        """
        self.begin()
        own = text(2, sender=8, to=7)
        event = text(3, kind=RECALL)
        self.push(text(1), own, event, text(4))
        self.assertEqual(self.heard(), [1, 4])
        self.assertEqual(self.store.pages, [])

    def test_recalled(self) -> None:
        """
        A message that was recalled before it could be read is not sent.
        """
        self.begin()
        self.push(text(1))
        self.store.messages += [text(2, kind=model.RECALLED), text(3)]
        self.push(text(4))
        self.assertEqual(self.heard(), [1, 3, 4])

    def test_to_oneself(self) -> None:
        """
        A user receives what they send to themself.
        """
        self.begin()
        self.push(text(1, sender=8, to=8))
        self.assertEqual(self.heard(), [1])

    def test_unreadable(self) -> None:
        """
        While nothing can be read, skipped messages wait and later ones wait behind
        them; then all are sent.
        """
        self.begin()
        self.push(text(1))
        self.store.messages += [text(2)]
        self.store.fails = Unavailable("not now")
        self.push(text(3), text(4))
        self.assertEqual(self.heard(), [1])
        self.store.fails = None
        self.node.pass_time(0.05)
        self.assertEqual(self.heard(), [])
        self.node.pass_time(0.2)
        self.assertEqual(self.heard(), [2, 3, 4])

    def test_forbidden(self) -> None:
        """
        Messages that the user may no longer read are passed over and counted.
        """
        self.begin()
        self.push(text(1))
        self.store.fails = Forbidden("not a member")
        self.push(text(3))
        self.store.fails = None
        self.push(text(4))
        self.node.pass_time(1.1)
        self.assertEqual(self.heard(), [1, 4])
        self.assertEqual(self.node.legacy.counters.missed, 2)

    def test_hidden(self) -> None:
        """
        A seq that is hidden from the user is no reason to wait.
        """
        self.begin()
        self.push(text(1))
        self.push(text(4))
        self.push(text(5))
        self.assertEqual(self.heard(), [1, 4, 5])

    def test_not_stored_yet(self) -> None:
        """
        A pushed message that is not stored yet is read again later.
        """
        self.begin()
        self.push(text(1))
        self.push(text(3), stored=False)
        self.assertEqual(self.heard(), [1])
        self.store.messages += [text(2), text(3)]
        self.node.pass_time(1.1)
        self.assertEqual(self.heard(), [2, 3])

    def test_slow(self) -> None:
        """
        A client that reads slowly misses nothing: messages that it did not take are
        read when it does.
        """
        self.begin()
        self.client.session.outbox.pauseProducing()
        long = "1" * 400_000
        self.push(*(text(n, content=f"{n}{long}") for n in range(1, 9)))
        self.assertEqual(self.client.heard(), [])
        self.assertEqual(self.node.registry.counters.demoted, 1)
        self.client.session.outbox.resumeProducing()
        self.assertEqual(
            [content[:1] for content in self.client.texts()], list("12345678")
        )
        self.node.pass_time(60)
        self.assertIsNone(self.client.peer.code)

    def test_too_slow(self) -> None:
        """
        A client that reads nothing at all is closed, as others are.
        """
        self.begin()
        self.client.session.outbox.pauseProducing()
        long = "1" * 400_000
        self.push(*(text(n, content=long) for n in range(1, 5)))
        self.node.pass_time(60)
        self.assertEqual(self.client.peer.code, Close.SLOW_CLIENT)


class ResyncTests(FeedTestCase):
    """
    Resyncs, after pushes may have been lost.
    """

    def test_known(self) -> None:
        """
        Missed messages of a conversation are read, from the last one that the client
        got.
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
        In a conversation that was silent before, all messages sent since the client
        connected are read, and no older ones.
        """
        before = [text(n, time_ms=NOW_MS - 60_000) for n in (1, 2, 3)]
        self.begin()
        self.store.messages += [*before, *texts([4, 5])]
        self.client.session.resync("a stream was lost")
        self.assertEqual(self.heard(), [4, 5])

    def test_where_it_was(self) -> None:
        """
        The heads of conversations at the time of connecting are known, so older
        messages are not sent, however young.
        """
        self.begin([text(n, time_ms=NOW_MS - 500) for n in (1, 2)])
        self.store.messages += texts([3])
        self.client.session.resync("a stream was lost")
        self.assertEqual(self.heard(), [3])

    def test_many(self) -> None:
        """
        However many conversations changed, each is read.
        """
        self.begin()
        for other in range(100, 110):
            self.store.messages += texts([1], sender=other)
        self.client.session.resync("a stream was lost")
        self.assertEqual(self.heard(), [1] * 10)

    def test_in_vain(self) -> None:
        """
        A read that fails is repeated.
        """
        self.begin()
        self.store.messages += texts([1])
        self.store.fails = Unavailable("not now")
        self.client.session.resync("a stream was lost")
        self.store.fails = None
        self.node.pass_time(1.1)
        self.assertEqual(self.heard(), [1])

    def test_gone(self) -> None:
        """
        Nothing is read for a client that has gone.
        """
        self.begin()
        self.store.fails = Unavailable("not now")
        self.client.session.resync("a stream was lost")
        self.client.drop()
        self.store.fails = None
        before = len(self.store.pages)
        self.node.pass_time(5)
        self.assertEqual(len(self.store.pages), before)
