"""
The limits of a user at one Connect: over all sessions, and beyond a new login.
"""

from __future__ import annotations

from tests.connect.session.cases import SessionTestCase
from tests.connect.session.doubles import FakeNode
from wsmsg.protocol import frames
from wsmsg.protocol.frames import Send


class SendRateTests(SessionTestCase):
    """
    Row 11: sends a second survive a new login.
    """

    def test_new_login(self) -> None:
        """
        A user who logs in again, on the same device or on another, has no tokens that
        the sessions before have used.
        """
        node = FakeNode(sends_per_s=1, sends_burst=2)
        client = node.log_in(1001)
        client.say(Send("c1", to=7), Send("c2", to=7))
        for device in ("phone", "tablet"):
            client.hang_up()
            client = node.log_in(1001, device)
            client.say(Send(f"{device}1", to=7))
            self.assert_rejected(client, "rate_limited")
        self.assertEqual(len(node.upstream.sends), 2)
        client.hang_up()
        node.clock.advance(1.0)
        client = node.log_in(1001)
        client.say(Send("c3", to=7))
        self.assertEqual(len(node.upstream.sends), 3)

    def test_quiet_device_left_last(self) -> None:
        """
        The rate survives, although the last session that ended had sent nothing.
        """
        node = FakeNode(sends_per_s=1, sends_burst=2)
        phone, tablet = node.log_in(1001), node.log_in(1001, "tablet")
        phone.say(Send("c1", to=7), Send("c2", to=7))
        phone.hang_up()
        tablet.hang_up()
        client = node.log_in(1001)
        client.say(Send("c3", to=7))
        self.assert_rejected(client, "rate_limited")

    def test_nothing_kept(self) -> None:
        """
        Nothing is kept of users who are gone and whose rates are refilled.
        """
        node = FakeNode(sends_per_s=1, sends_burst=2)
        for user in (1001, 1002, 1003):
            client = node.log_in(user)
            client.say(Send("c1", to=7))
            client.hang_up()
        self.assertEqual(len(node.context.rates), 3)
        node.clock.advance(1.0)
        node.log_in(1004).hang_up()
        self.assertEqual(len(node.context.rates), 0)


class RequestCostTests(SessionTestCase):
    """
    Row 11: requests cost by what they ask for.
    """

    def test_watch(self) -> None:
        """
        A C{watch} of many users costs more than a frame: after a few of them, the
        client is not read until the user's rate allows more, and loses nothing.
        """
        node = FakeNode(requests_per_s=10, requests_burst=100)
        client = node.log_in(1001)
        watch = frames.Watch(tuple(range(1, 401)))  # costs 81
        client.say(watch)
        self.assertTrue(client.peer.reading)
        client.say(watch, frames.Ping("1"))
        self.assertFalse(client.peer.reading)
        self.assertNotIn(frames.Pong("1"), client.heard())
        node.pass_time(6.2)
        self.assertFalse(client.peer.reading)
        node.pass_time(0.2)
        self.assertTrue(client.peer.reading)
        self.assertEqual(client.heard(), [frames.Pong("1")])
        self.assertEqual(node.registry.counters.costly, 1)

    def test_devices_and_logins(self) -> None:
        """
        All devices of a user pay from one budget, and a new login begins with what is
        left of it; other users have their own.
        """
        node = FakeNode(requests_per_s=10, requests_burst=100)
        watch = frames.Watch(tuple(range(1, 401)))
        phone, tablet = node.log_in(1001), node.log_in(1001, "tablet")
        phone.say(watch)
        tablet.say(watch)
        self.assertFalse(tablet.peer.reading)
        phone.hang_up()
        tablet.hang_up()
        again = node.log_in(1001)
        again.say(frames.Watch((5,)))
        self.assertFalse(again.peer.reading)
        other = node.log_in(1002)
        other.say(watch)
        self.assertTrue(other.peer.reading)

    def test_small_requests(self) -> None:
        """
        Pings cost nothing, and a page of messages by its size.
        """
        node = FakeNode(requests_per_s=1, requests_burst=8, page=100)
        client = node.log_in(1001)
        client.say(*(frames.Ping(str(n)) for n in range(20)))
        self.assertTrue(client.peer.reading)
        client.say(frames.Sync("q", "u:7:1001", limit=10))
        self.assertTrue(client.peer.reading)
        client.say(frames.Sync("q", "u:7:1001", limit=0))  # of 100: costs 6
        self.assertTrue(client.peer.reading)
        client.say(frames.Sync("q", "u:7:1001", limit=10**6))
        self.assertFalse(client.peer.reading)
