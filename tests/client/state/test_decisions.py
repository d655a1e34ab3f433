"""
Tests for the small decisions of the client: reconnecting, cursors, listing, the queue
of events and heartbeats.
"""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from wsmsg.client.state.event_queue import EventQueue
from wsmsg.client.state.events import (
    Event,
    PresenceChanged,
    ReceiptReceived,
    TypingReceived,
    received,
)
from wsmsg.client.state.heartbeat import HeartbeatTimer
from wsmsg.client.state.listing import Listing
from wsmsg.client.state.reconnect import Again, Ended, Never, Reconnect, moved_url
from wsmsg.errors import (
    BadRequest,
    Forbidden,
    Internal,
    NotFound,
    Replaced,
    Unauthenticated,
    Unavailable,
    WsmsgError,
)
from wsmsg.protocol.frames import Deliver, Heads

U = "u:1:2"
URL = "wss://a.example:1/ws"


class ReconnectTests(SynchronousTestCase):
    """
    Reconnecting: whether, when and to which address.
    """

    def setUp(self) -> None:
        self.bounds: list[float] = []
        self.reconnect = Reconnect(URL, first_s=1, cap_s=5, uniform=self._highest)

    def _highest(self, low: float, high: float) -> float:
        self.assertEqual(low, 0.0)
        self.bounds.append(high)
        return high

    def delay(self, how: Ended, now: float = 0.0) -> float:
        decision = self.reconnect.ended(how, now)
        assert isinstance(decision, Again), decision
        return decision.delay_s

    def error(self, how: Ended) -> type[WsmsgError]:
        decision = Reconnect(URL).ended(how, 0.0)
        assert isinstance(decision, Never), decision
        return type(decision.error)

    def test_waits_longer(self) -> None:
        """
        The bound of the delay doubles up to the cap, and the delay is a random part of
        it.
        """
        waits = [self.delay(Ended(reason="refused")) for _ in range(5)]
        self.assertEqual(waits, [1, 2, 4, 5, 5])
        self.assertEqual(self.bounds, waits)

    def test_for_ever(self) -> None:
        """
        After any number of failures there is another attempt.
        """
        for _ in range(5000):
            self.assertLessEqual(self.delay(Ended(reason="refused")), 5)

    def test_good_connection_forgives(self) -> None:
        """
        After a connection that lasted, the delays are short again.
        """
        self.delay(Ended(reason="refused"))
        self.delay(Ended(reason="refused"))
        self.assertEqual(self.delay(Ended(reason="broke", lived_s=60)), 1)

    def test_told_when(self) -> None:
        """
        A server that stops tells the client when and where to reconnect.
        """
        self.reconnect.told_to_move(10.0, ("b.example:2",))
        decision = self.reconnect.ended(Ended(reason="", close_code=1012), 8.0)
        self.assertEqual(decision, Again("wss://b.example:2/ws", 2.0, ""))
        decision = self.reconnect.ended(Ended(reason="refused"), 10.0)
        self.assertEqual(decision, Again(URL, 1.0, "refused"))

    def test_never_over_a_weaker_line(self) -> None:
        """
        A client on an encrypted connection ignores an unencrypted alternative.
        """
        self.assertIsNone(moved_url(URL, "ws://b.example/ws"))
        self.assertIsNone(moved_url(URL, "http://b.example/ws"))
        self.assertEqual(moved_url(URL, "wss://b.example/x"), "wss://b.example/x")

    def test_final(self) -> None:
        """
        If reconnecting would not help, the client closes with the error of the close
        code.
        """
        self.assertIs(self.error(Ended(reason="", close_code=4503)), Replaced)
        self.assertIs(self.error(Ended(reason="", close_code=4504)), Forbidden)
        for status, code, error in (
            (403, "forbidden", Forbidden),
            (404, "not_found", NotFound),
            (405, "bad_request", BadRequest),
        ):
            how = Ended(reason="", http_status=status, code=code)
            self.assertIs(self.error(how), error)
        self.assertIs(self.error(Ended(reason="", close_code=4999)), Unavailable)

    def test_passing(self) -> None:
        """
        After a failure that may pass, the client reconnects.
        """
        for code in (1001, 1006, 1008, 1010, 1012, 1013, 4001, 4002, 4004, 4499):
            self.delay(Ended(reason="", close_code=code))
        for status, name in (
            (429, "rate_limited"),
            (500, "internal"),
            (503, "unavailable"),
            (408, "stale"),
        ):
            self.delay(Ended(reason="", http_status=status, code=name))

    def test_another_answers(self) -> None:
        """
        Number 31: no HTTP answer without a code of the server ends the attempts, as a
        captive portal or a proxy may have given it.
        """
        for status in (200, 302, 401, 403, 404, 407, 410, 426, 511):
            for code in ("", "no_such_code"):
                for _ in range(3):
                    self.delay(Ended(reason="", http_status=status, code=code))

    def test_retry_after(self) -> None:
        """
        Number 31: the client waits for the seconds of Retry-After and the random part
        of the delay; it waits at most 300 s for the server, and at most the longest
        delay for somebody else.
        """
        for code, said, waits in (
            ("unavailable", 30.0, 30.0),
            ("rate_limited", 1e9, 300.0),
            ("", 2.0, 2.0),
            ("", 1e9, 5.0),
        ):
            self.reconnect = Reconnect(URL, first_s=1, cap_s=5, uniform=self._highest)
            how = Ended(reason="", http_status=503, code=code, retry_after_s=said)
            self.assertEqual(self.delay(how), waits + 1)

    def test_second_refusal(self) -> None:
        """
        A token that is refused is renewed once, and again after a success.
        """
        refused = Ended(reason="expired", close_code=4501)
        self.delay(refused)
        self.reconnect.welcomed()
        self.delay(refused)
        decision = self.reconnect.ended(refused, 0.0)
        assert isinstance(decision, Never)
        self.assertIsInstance(decision.error, Unauthenticated)

    def test_bug(self) -> None:
        """
        After a bug in the server the client reconnects once.
        """
        bug = Ended(reason="bug", close_code=1011)
        self.delay(bug)
        self.delay(Ended(reason="bug", close_code=1011, lived_s=60))
        decision = self.reconnect.ended(bug, 0.0)
        assert isinstance(decision, Never)
        self.assertIsInstance(decision.error, Internal)


class ListingTests(SynchronousTestCase):
    """
    Lists of the conversations that changed.
    """

    def test_again_after_it(self) -> None:
        """
        A list that is requested while another is in progress follows it.
        """
        listing = Listing("p1")
        listing.begin(0.0)
        (first,) = listing.due(0.0)
        self.assertEqual(first.position, "p1")
        listing.begin(0.0)
        self.assertEqual(listing.due(0.0), [])
        self.assertTrue(listing.is_open(first.id))
        self.assertFalse(listing.page(Heads(first.id, (), position="p2"), 0.0))
        (second,) = listing.due(0.0)
        self.assertEqual(second.position, "p2")
        self.assertTrue(listing.page(Heads(second.id, (), position="p3"), 0.0))
        self.assertEqual(listing.position, "p3")

    def test_pages(self) -> None:
        """
        A list continues at the position of each page, and a list that is lost begins
        again at the last complete one.
        """
        listing = Listing("p1")
        listing.begin(0.0)
        (asked,) = listing.due(0.0)
        page = Heads(asked.id, (), more=True, position="p2")
        self.assertFalse(listing.page(page, 0.0))
        (asked,) = listing.due(0.0)
        self.assertEqual(asked.position, "p2")
        listing.lost()
        self.assertEqual(listing.position, "p1")

    def test_refused(self) -> None:
        """
        A list that the server cannot give now is requested again a second later.
        """
        listing = Listing("")
        listing.begin(0.0)
        listing.due(0.0)
        listing.refused(3.0, 0.0)
        self.assertEqual(listing.due(3.9), [])
        self.assertEqual(listing.next_due(), 4.0)
        self.assertEqual(len(listing.due(4.0)), 1)


class HeartbeatTests(SynchronousTestCase):
    """
    Heartbeats of the server.
    """

    def test_silence(self) -> None:
        """
        A silent server is pinged once, and counts as dead after the same time again.
        """
        heartbeat = HeartbeatTimer(2.0, 10.0)
        self.assertFalse(heartbeat.ask(11.9))
        self.assertTrue(heartbeat.ask(12.0))
        self.assertFalse(heartbeat.ask(13.0))
        self.assertFalse(heartbeat.dead(13.9))
        self.assertEqual(heartbeat.next_due, 14.0)
        self.assertTrue(heartbeat.dead(14.0))

    def test_any_sign(self) -> None:
        """
        Every frame counts as a sign of life.
        """
        heartbeat = HeartbeatTimer(2.0, 10.0)
        heartbeat.ask(12.0)
        heartbeat.received(13.0)
        self.assertFalse(heartbeat.dead(14.0))
        self.assertTrue(heartbeat.ask(15.0))


class EventQueueTests(SynchronousTestCase):
    """
    The queue of events for the program.
    """

    def taken(self, queue: EventQueue) -> list[Event]:
        found = []
        while (event := queue.take()) is not None:
            found.append(event)
        return found

    def test_newer_replaces_older(self) -> None:
        """
        Only the newest receipt, presence or typing of its kind waits in the queue.
        """
        queue = EventQueue(10)
        for n in range(5):
            queue.put(ReceiptReceived(U, 2, n, 0))
            queue.put(PresenceChanged(2, bool(n % 2), n))
            queue.put(TypingReceived(U, 2))
        self.assertEqual(
            self.taken(queue),
            [
                ReceiptReceived(U, 2, 4, 0),
                PresenceChanged(2, False, 4),
                TypingReceived(U, 2),
            ],
        )

    @given(st.lists(st.sampled_from("mrtx"), max_size=200))
    def test_bounded(self, kinds: list[str]) -> None:
        """
        Whatever arrives, the queue stays in its bound, and no message is dropped.
        """
        queue = EventQueue(5)
        put = 0
        for n, kind in enumerate(kinds):
            if kind == "m" and queue.room:
                put += 1
                queue.put(received(Deliver(U, put, n, 2, "", 1, n), 1))
            elif kind == "r":
                queue.put(ReceiptReceived(f"u:1:{n}", 2, n, 0))
            elif kind == "t":
                queue.put(TypingReceived(U, n))
            elif kind == "x":
                queue.take()
            self.assertLessEqual(len(queue), 10)
            self.assertGreaterEqual(queue.room, 0)
