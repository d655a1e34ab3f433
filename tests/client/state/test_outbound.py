"""
Tests for L{wsmsg.client.state.outbound}.
"""

from __future__ import annotations

from itertools import cycle

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from wsmsg.client.state.events import SendAccepted
from wsmsg.client.state.outbound import Outbound
from wsmsg.errors import Conflict, Forbidden, Overloaded, TooLarge, WsmsgError
from wsmsg.protocol.frames import Limits, Rejected, Send

LIMITS = Limits(100, 1000, window=3, sends_per_s=0, page=10, watch=10)


def send(name: str, content: str = "hi") -> Send:
    return Send(name, to=2, content=content)


class OutboundTests(SynchronousTestCase):
    """
    Sends, their order and their repeats.
    """

    def setUp(self) -> None:
        self.settled: list[tuple[str, SendAccepted | WsmsgError]] = []
        self.outbound = Outbound(10, lambda *what: self.settled.append(what))

    def repeats(self, now: float) -> list[bool]:
        return [f.repeat for f in self.outbound.due(now) if isinstance(f, Send)]

    def ids(self, now: float = 0.0) -> list[str]:
        return [frame.client_id for frame in self.outbound.due(now)]

    def add(self, *names: str) -> None:
        for name in names:
            self.outbound.add(send(name))

    def test_window(self) -> None:
        """
        No more messages are in flight than the server's window.
        """
        self.outbound.welcomed(LIMITS, 0.0)
        self.add("a", "b", "c", "d")
        self.assertEqual(self.ids(), ["a", "b", "c"])
        self.assertEqual(self.ids(), [])
        self.outbound.accepted("b", 7)
        self.assertEqual(self.ids(), ["d"])
        self.assertEqual(self.settled, [("b", SendAccepted("b", 7))])

    def test_repeats_say_so(self) -> None:
        """
        A message that may have been accepted is sent again as a repeat: it was in
        flight when the connection was lost, or an earlier run may have sent it, or the
        server says so.  One that was rejected for sure is sent again as it was.
        """
        self.outbound.welcomed(LIMITS, 0.0)
        self.add("a")
        self.outbound.add(send("saved"), uncertain=True)
        self.assertEqual(self.repeats(0.0), [False, True])
        self.outbound.rejected(Rejected("a", "unavailable", "", 100), 0.0)
        self.outbound.accepted("saved", 1)
        self.assertEqual(self.repeats(1.0), [False])
        self.outbound.rejected(Rejected("a", "unavailable", "", 100, True), 1.0)
        self.assertEqual(self.repeats(2.0), [True])
        self.outbound.accepted("a", 1)
        self.add("b")
        self.assertEqual(self.ids(3.0), ["b"])
        self.outbound.lost()
        self.outbound.welcomed(LIMITS, 3.0)
        self.assertEqual(self.repeats(3.0), [True])
        self.assertEqual([f == send("b") for f in self.outbound], [True])

    def test_again_after_loss(self) -> None:
        """
        Messages without an answer are repeated first, in their order.
        """
        self.outbound.welcomed(LIMITS, 0.0)
        self.add("a", "b", "c", "d")
        self.ids()
        self.outbound.accepted("b", 1)
        self.outbound.lost()
        self.outbound.welcomed(LIMITS, 1.0)
        self.assertEqual(self.ids(), ["a", "c", "d"])

    def test_busy_server(self) -> None:
        """
        After a rejection with a hint, that message and all newer ones wait for the
        given time, and for the answers to those in flight behind it.
        """
        self.outbound.welcomed(LIMITS, 0.0)
        self.add("a", "b")
        self.ids()
        self.outbound.rejected(Rejected("a", "overloaded", "busy", 500), 1.0)
        self.add("c")
        self.assertEqual(self.ids(1.6), [])
        self.assertIsNone(self.outbound.next_due(1.6))
        self.outbound.rejected(Rejected("b", "overloaded", "busy", 400), 1.2)
        self.assertEqual(self.ids(1.5), [])
        self.assertEqual(self.outbound.next_due(1.5), 1.6)
        self.assertEqual(self.ids(1.6), ["a", "b", "c"])
        self.assertEqual(self.settled, [])

    def test_busy_server_without_hint(self) -> None:
        """
        After a temporary rejection without a hint, the message is repeated after a
        second.
        """
        self.outbound.welcomed(LIMITS, 0.0)
        self.add("a")
        self.ids()
        self.outbound.rejected(Rejected("a", "unavailable", "no"), 1.0)
        self.assertEqual(self.ids(1.9), [])
        self.assertEqual(self.ids(2.0), ["a"])

    def test_refused(self) -> None:
        """
        A final rejection settles the message with the server's error.
        """
        self.outbound.welcomed(LIMITS, 0.0)
        self.add("a")
        self.ids()
        self.outbound.rejected(Rejected("a", "forbidden", "not you"), 1.0)
        ((name, error),) = self.settled
        self.assertEqual(name, "a")
        self.assertIsInstance(error, Forbidden)
        self.assertEqual(len(self.outbound), 0)

    def test_answers_to_nothing(self) -> None:
        """
        An answer to a message that is not in flight changes nothing.
        """
        self.outbound.accepted("x", 1)
        self.add("a")
        self.outbound.accepted("a", 1)
        self.outbound.rejected(Rejected("a", "unavailable", ""), 1.0)
        self.outbound.welcomed(LIMITS, 2.0)
        self.assertEqual(self.settled, [])
        self.assertEqual(self.ids(2.0), ["a"])

    def test_same_id(self) -> None:
        """
        A repeat with the same id and body is the same message; with another body it is
        refused.
        """
        self.add("a", "a")
        self.assertEqual(len(self.outbound), 1)
        with self.assertRaises(Conflict):
            self.outbound.add(send("a", "other"))

    def test_bounds(self) -> None:
        """
        A message that is too long, or over the limit, is refused before it is sent.
        """
        self.outbound.welcomed(LIMITS, 0.0)
        with self.assertRaises(TooLarge):
            self.outbound.add(send("a", "ä" * 51))
        self.add(*"bcdefghijk")
        with self.assertRaises(Overloaded):
            self.outbound.add(send("l"))

    def test_withdraw(self) -> None:
        """
        A message can be withdrawn only until it is first in flight.
        """
        self.outbound.welcomed(LIMITS, 0.0)
        self.add("a")
        self.ids()
        self.add("b")
        self.assertFalse(self.outbound.withdraw("a"))
        self.assertTrue(self.outbound.withdraw("b"))
        self.assertEqual([f.client_id for f in self.outbound], ["a"])

    def test_pace(self) -> None:
        """
        A burst is spread out, so that the client never exceeds the server's rate.
        """
        limits = Limits(100, 1000, window=100, sends_per_s=2, page=10, watch=10)
        self.outbound.welcomed(limits, 10.0)
        self.add("a", "b", "c", "d")
        self.assertEqual(self.ids(10.0), ["a", "b"])
        self.assertEqual(self.outbound.next_due(10.0), 10.5)
        self.assertEqual(self.ids(10.5), ["c"])
        self.assertEqual(self.ids(11.0), ["d"])

    @given(st.data())
    def test_oldest_first_whatever_happens(self, data: st.DataObject) -> None:
        """
        Whatever is lost or rejected, waiting messages are sent oldest first, and each
        is settled once.
        """
        settled: list[str] = []
        outbound = Outbound(100, lambda name, _: settled.append(name))
        outbound.welcomed(LIMITS, 0.0)
        now, made, flying = 0.0, 0, list[int]()
        for step in data.draw(st.lists(st.sampled_from("aarlxs"), max_size=40)):
            now += 1.0
            if step == "a" and made < 100:
                outbound.add(send(f"{made:03}"))
                made += 1
            elif step in "rx" and flying:
                name = data.draw(st.sampled_from(flying))
                flying.remove(name)
                if step == "r":
                    frame = Rejected(f"{name:03}", "overloaded", "", 500)
                    outbound.rejected(frame, now)
                else:
                    outbound.accepted(f"{name:03}", 1)
            elif step == "l":
                outbound.lost()
                outbound.welcomed(LIMITS, now)
                flying.clear()
            elif step == "s":
                sent = [int(f.client_id) for f in outbound.due(now)]
                self.assertEqual(sent, sorted(sent))
                waiting = {int(f.client_id) for f in outbound} - {*flying, *sent}
                self.assertTrue(not sent or all(w > max(sent) for w in waiting))
                flying += sent
                self.assertLessEqual(len(flying), 3)
        self.assertEqual(len(settled), len(set(settled)))
        self.assertEqual(len(settled) + len(outbound), made)


class OrderedTests(SynchronousTestCase):
    """
    The order of one sender's messages in a conversation.
    """

    def test_withdrawn_first(self) -> None:
        """
        A withdrawn message does not hold up the next one.
        """
        outbound = Outbound(10, lambda *_: None)
        outbound.add(Send("a", to=2))
        outbound.add(Send("b", to=2))
        outbound.withdraw("a")
        outbound.welcomed(LIMITS, 0.0)
        self.assertEqual([f.client_id for f in outbound.due(0.0)], ["b"])

    @given(st.data())
    def test_accepted_in_order(self, data: st.DataObject) -> None:
        """
        Whatever the server refuses for a moment (with the messages of the conversation
        behind it) or loses, and whatever answers are lost, it first accepts the
        messages of a conversation in the order in which they were sent.
        """
        done: list[str] = []
        accepted: dict[str, Send] = {}
        outbound = Outbound(100, lambda name, _: done.append(name))
        outbound.welcomed(LIMITS, 0.0)
        steps = data.draw(st.lists(st.integers(2, 3), min_size=1, max_size=12))
        for number, to in enumerate(steps):
            outbound.add(Send(f"{number:02}", to=to))
        now = 0.0
        for fates in data.draw(st.lists(st.text("arlh", min_size=1), max_size=30)):
            now += 2.0
            fenced: set[int] = set()
            lost = False
            for frame, fate in zip(outbound.due(now), cycle(fates), strict=False):
                assert isinstance(frame, Send)
                if fate == "l":
                    lost = True
                    break  # what is behind it never arrives either
                lost = lost or fate == "h"  # it arrives, and no answer comes back
                if fate == "r" or frame.to in fenced:
                    fenced.add(frame.to)
                    if not lost:
                        again = Rejected(frame.client_id, "overloaded", "")
                        outbound.rejected(again, now)
                    continue
                accepted.setdefault(frame.client_id, frame)
                if not lost:
                    outbound.accepted(frame.client_id, 1)
            if lost:
                outbound.lost()
                outbound.welcomed(LIMITS, now)
        while len(outbound):
            now += 2.0
            for frame in outbound.due(now):
                assert isinstance(frame, Send)
                accepted.setdefault(frame.client_id, frame)
                outbound.accepted(frame.client_id, 1)
        for to in (2, 3):
            names = [f.client_id for f in accepted.values() if f.to == to]
            self.assertEqual(names, sorted(names))
        self.assertEqual(sorted(done), [f"{n:02}" for n in range(len(steps))])
