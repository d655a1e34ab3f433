"""
The outbox: the cost of a slow client, and what it receives.
"""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.interfaces import IPushProducer
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from tests.connect.session.doubles import FakePeer
from wsmsg.connect.session.outbox import Outbox
from wsmsg.settings.values import LimitSettings


class Owner:
    """
    Records what its outbox reports.
    """

    def __init__(self) -> None:
        self.limits = LimitSettings(outbox_soft_bytes=20, outbox_hard_bytes=50)
        self.events: list[str] = []
        self.waiting = 0

    def demoted(self) -> None:
        self.events.append("demoted")

    def drained(self) -> None:
        self.events.append("drained")

    def abandoned(self) -> None:
        self.events.append("abandoned")

    def queued(self, n_bytes: int) -> None:
        self.waiting += n_bytes


class OutboxTests(SynchronousTestCase):
    """
    L{Outbox}, with the soft mark at 20 bytes and the hard mark at 50.
    """

    def setUp(self) -> None:
        self.owner = Owner()
        self.peer = FakePeer()
        self.outbox = Outbox(self.owner, self.peer)
        verifyObject(IPushProducer, self.outbox)

    def written(self) -> bytes:
        """
        Return everything that was written to the transport.
        """
        return b"".join(self.peer.written)

    def test_straight_through(self) -> None:
        """
        While the transport accepts data, nothing waits.
        """
        self.outbox.push(b"a" * 100, False)
        self.outbox.reply(b"b" * 100)
        self.assertEqual(len(self.written()), 200)
        self.assertEqual(self.outbox.size, 0)

    def test_order(self) -> None:
        """
        Frames that waited are written before later ones.
        """
        self.outbox.pauseProducing()
        self.outbox.pauseProducing()
        self.outbox.push(b"1", False)
        self.outbox.reply(b"2")
        self.outbox.resumeProducing()
        self.outbox.push(b"3", False)
        self.assertEqual(self.written(), b"123")

    def test_pause_while_resuming(self) -> None:
        """
        A transport that fills up again gets no more than it asked for.
        """
        outbox = self.outbox

        class Full(FakePeer):
            """
            A connection that is full after each write.
            """

            def write_encoded(self, data: bytes) -> None:
                super().write_encoded(data)
                outbox.pauseProducing()

        self.outbox = outbox = Outbox(self.owner, Full())
        outbox.pauseProducing()
        outbox.push(b"1", False)
        outbox.push(b"2", False)
        outbox.resumeProducing()
        self.assertEqual(outbox.size, 1)
        outbox.push(b"3", False)
        self.assertEqual(outbox.size, 2)

    def test_waiting_bytes(self) -> None:
        """
        The owner knows at each time how many bytes wait: none once they are written,
        or dropped.
        """
        self.outbox.pauseProducing()
        self.outbox.push(b"12345", False)
        self.outbox.reply(b"678")
        self.assertEqual(self.owner.waiting, 8)
        self.outbox.resumeProducing()
        self.assertEqual(self.owner.waiting, 0)
        self.outbox.pauseProducing()
        self.outbox.push(b"9", False)
        self.outbox.finish(flush=False)
        self.outbox.finish(flush=True)
        self.assertEqual(self.owner.waiting, 0)

    def test_shed(self) -> None:
        """
        Above the soft mark typing is dropped and counted, messages are not.
        """
        self.outbox.pauseProducing()
        self.assertTrue(self.outbox.push(b"x" * 20, True))
        self.assertTrue(self.outbox.push(b"t", True))
        self.assertTrue(self.outbox.push(b"m", False))
        self.outbox.resumeProducing()
        self.assertEqual(self.written(), b"x" * 20 + b"m")
        self.assertEqual(self.outbox.shed, 1)

    def test_demoted(self) -> None:
        """
        Above the hard mark pushes are refused until the queue is written; the owner is
        told once of each.
        """
        self.outbox.pauseProducing()
        self.assertTrue(self.outbox.push(b"m" * 50, False))
        self.assertFalse(self.outbox.push(b"n", False))
        self.assertFalse(self.outbox.push(b"o", False))
        self.assertEqual(self.owner.events, ["demoted"])
        self.outbox.resumeProducing()
        self.assertEqual(self.owner.events, ["demoted", "drained"])
        self.assertTrue(self.outbox.push(b"p", False))
        self.assertEqual(self.written(), b"m" * 50 + b"p")

    def test_replies_while_demoted(self) -> None:
        """
        A demoted client still gets replies, up to twice the hard mark.
        """
        self.outbox.pauseProducing()
        self.outbox.push(b"m" * 50, False)
        self.outbox.push(b"n", False)
        self.assertTrue(self.outbox.reply(b"r" * 50))
        self.assertFalse(self.outbox.reply(b"s"))
        self.assertEqual(self.outbox.size, 100)

    def test_replies_demote(self) -> None:
        """
        Replies alone can demote a client.
        """
        self.outbox.pauseProducing()
        self.assertTrue(self.outbox.reply(b"r" * 51))
        self.assertEqual(self.owner.events, ["demoted"])
        self.assertFalse(self.outbox.push(b"m", False))

    def test_finish(self) -> None:
        """
        At the end the queue is written or dropped, and nothing more is accepted.
        """
        self.outbox.pauseProducing()
        self.outbox.push(b"m", False)
        self.outbox.finish(flush=True)
        self.assertEqual(self.written(), b"m")
        self.assertFalse(self.outbox.push(b"n", False))
        self.assertFalse(self.outbox.reply(b"n"))
        self.outbox.resumeProducing()
        self.assertEqual(self.written(), b"m")

    def test_stop_producing(self) -> None:
        """
        A transport that is gone gets nothing, and the memory is released.
        """
        self.outbox.pauseProducing()
        self.outbox.push(b"m", False)
        self.outbox.stopProducing()
        self.assertEqual((self.outbox.size, self.written()), (0, b""))
        self.assertEqual(self.owner.events, ["abandoned"])

    @given(
        st.lists(
            st.one_of(
                st.tuples(st.just("put"), st.integers(1, 60), st.booleans()),
                st.tuples(st.just("reply"), st.integers(1, 60), st.none()),
                st.sampled_from([("pause", 0, None), ("resume", 0, None)]),
            ),
            max_size=60,
        )
    )
    def test_any_history(self, steps: list[tuple[str, int, bool | None]]) -> None:
        """
        In any sequence of events, accepted frames are written once and in order, and
        the queue is bounded.
        """
        self.setUp()
        taken: list[bytes] = []
        for i, (what, size, shed) in enumerate(steps):
            data = bytes([i]) * size
            if what == "pause":
                self.outbox.pauseProducing()
            elif what == "resume":
                self.outbox.resumeProducing()
            elif what == "reply":
                taken += [data] if self.outbox.reply(data) else []
            else:
                dropped = self.outbox.shed
                if self.outbox.push(data, bool(shed)) and dropped == self.outbox.shed:
                    taken.append(data)
            self.assertLessEqual(self.outbox.size, 100)
        self.outbox.resumeProducing()
        self.assertEqual(self.peer.written, taken)
        self.assertEqual(self.outbox.size, 0)
        events = self.owner.events
        self.assertEqual(events, ["demoted", "drained"] * (len(events) // 2))
