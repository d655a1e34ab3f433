"""
Tests for L{wsmsg.message.links.leases}.
"""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tests.message.links.test_links import SNAPSHOT
from tests.message.presence.doubles import RecordingPresence
from wsmsg.message.links.leases import LATE_S, SETTLED_S
from wsmsg.message.links.link import Link
from wsmsg.message.links.links import Links
from wsmsg.rpc import rest_pb2


class LeaseTests(SynchronousTestCase):
    """
    One of several Messages, with one Connect.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.presence = RecordingPresence()
        self.links = Links(
            self.presence, self.clock, grace_s=1.5, limit_records=10, limit_bytes=10**6
        )

    def stream(self, incarnation: str = "i") -> Link:
        hello = rest_pb2.SubscribeRequest(
            connect_service_id="n", incarnation=incarnation
        )
        link, _ = self.links.subscribe(hello, "own")
        link.opened(lambda: None, lambda reason: None)
        return link

    def users(self, link: Link, *users: int) -> None:
        self.links.users.apply_presence(
            link,
            rest_pb2.PresenceDelta(number=1, online=users, snapshot=SNAPSHOT.WHOLE),
        )

    def calls(self) -> list[tuple[object, ...]]:
        told, self.presence.calls = self.presence.calls, []
        return told

    def test_becomes_primary(self) -> None:
        """
        A Message that becomes the primary writes all users at once, and then renews the
        lease.
        """
        link = self.stream()
        self.users(link, 1, 2)
        self.links.users.renew_leases()
        self.assertEqual(self.calls(), [])
        self.links.users.set_primary(link, True)
        self.assertEqual(self.calls(), [("replace", "n", [1, 2])])
        self.links.users.renew_leases()
        self.assertEqual(self.calls(), [("renew", "n")])

    def test_a_renewal_that_fails(self) -> None:
        """
        A renewal that raises is logged; the other leases are renewed, and the next
        renewal is made as before.
        """
        self.links.users.set_primary(self.stream(), True)
        other, _ = self.links.subscribe(
            rest_pb2.SubscribeRequest(connect_service_id="o", incarnation="i"), "own"
        )
        other.opened(lambda: None, lambda reason: None)
        self.links.users.set_primary(other, True)
        for link in (self.links._links["n"], other):
            self.users(link, 1)
        self.calls()
        renew = self.presence.renew

        def broken(node: str) -> Deferred[None]:
            self.presence.renew = renew  # type: ignore[method-assign]
            raise RuntimeError("a bug")

        self.presence.renew = broken  # type: ignore[method-assign]
        self.links.users.renew_leases()
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)
        self.assertEqual(self.calls(), [("renew", "o")])
        self.links.users.renew_leases()
        self.assertEqual(self.calls(), [("renew", "n"), ("renew", "o")])

    def test_named_again(self) -> None:
        """
        A Connect that names the same primary again changes nothing.
        """
        link = self.stream()
        self.users(link, 1)
        self.links.users.set_primary(link, True)
        self.calls()
        self.links.users.set_primary(link, True)
        self.assertEqual(self.calls(), [])

    def test_not_synced(self) -> None:
        """
        No lease is written while Connect is still sending its users.
        """
        link = self.stream()
        self.links.users.set_primary(link, True)
        self.links.users.renew_leases()
        self.assertEqual(self.calls(), [])
        self.users(link, 1)
        self.assertEqual(self.calls(), [("replace", "n", [1])])

    def test_second_write(self) -> None:
        """
        The new primary writes all users again after the old one must have noticed the
        loss: this replaces what the old primary wrote last.
        """
        link = self.stream()
        self.users(link, 1)
        self.links.users.set_primary(link, True)
        self.calls()
        for _ in range(int(SETTLED_S) - 1):
            self.clock.advance(1.0)
            self.links.users.renew_leases()
            self.assertEqual(self.calls(), [("renew", "n")])
        self.clock.advance(1.0)
        self.links.users.apply_presence(
            link, rest_pb2.PresenceDelta(number=2, online=[2])
        )
        self.assertEqual(self.calls(), [("change", "n", [2], [])])
        self.links.users.renew_leases()
        self.assertEqual(self.calls(), [("replace", "n", [1, 2])])
        self.links.users.renew_leases()
        self.assertEqual(self.calls(), [("renew", "n")])

    def test_stalled(self) -> None:
        """
        A Message that stalled first reads whether it is still the primary. If so, it
        writes all users, as their lease may have expired.
        """
        link = self.stream()
        self.users(link, 1)
        self.links.users.set_primary(link, True)
        self.calls()
        self.clock.advance(LATE_S)
        beat = rest_pb2.PresenceDelta(number=2)
        self.links.users.apply_presence(link, beat)  # that came while nobody read
        self.links.users.renew_leases()
        self.links.users.apply_presence(
            link, rest_pb2.PresenceDelta(number=3, online=[2])
        )
        self.assertEqual(self.calls(), [])
        self.clock.advance(1.0)
        self.links.users.renew_leases()
        self.assertEqual(self.calls(), [("replace", "n", [1, 2])])
        self.links.users.apply_presence(
            link, rest_pb2.PresenceDelta(number=4, offline=[1])
        )
        self.assertEqual(self.calls(), [("change", "n", [], [1])])

    def test_stalled_and_lost(self) -> None:
        """
        A Message that stalled, and whose Connect chose another primary meanwhile,
        writes nothing.
        """
        link = self.stream()
        self.users(link, 1)
        self.links.users.set_primary(link, True)
        self.calls()
        self.clock.advance(LATE_S)
        self.links.users.renew_leases()
        self.links.lost(link, link.stream, "silent")
        self.clock.advance(1.0)
        self.links.users.renew_leases()
        self.assertEqual(self.calls(), [])

    def test_ceases_to_be_primary(self) -> None:
        """
        A Message that is no longer the primary writes nothing, and does not end the
        lease when the Connect is gone.
        """
        link = self.stream()
        self.users(link, 1)
        self.links.users.set_primary(link, True)
        self.links.users.set_primary(link, False)
        self.calls()
        self.links.users.apply_presence(
            link, rest_pb2.PresenceDelta(number=2, online=[3])
        )
        self.links.users.renew_leases()
        self.links.lost(link, link.stream, "gone")
        self.clock.advance(2)
        self.assertEqual(self.calls(), [])

    def test_stream_lost(self) -> None:
        """
        The lease of a Connect without a stream is not renewed, as another Message may
        be its primary now; it is ended when the link is given up.
        """
        link = self.stream()
        self.users(link, 1)
        self.links.users.set_primary(link, True)
        self.calls()
        self.links.lost(link, link.stream, "gone")
        self.links.users.renew_leases()
        self.assertEqual(self.calls(), [])
        self.clock.advance(2)
        self.assertEqual(self.calls(), [("forget", "n")])

    def test_back_as_another(self) -> None:
        """
        A Connect that resumes names its primary again.
        """
        link = self.stream()
        self.users(link, 1)
        self.links.users.set_primary(link, True)
        self.links.lost(link, link.stream, "gone")
        self.calls()
        link = self.stream()
        self.users(link, 1)
        self.links.users.renew_leases()
        self.assertEqual(self.calls(), [])

    def test_message_stops(self) -> None:
        """
        A Message that stops does not end the leases of Connects that still run.
        """
        link = self.stream()
        self.users(link, 1)
        self.links.users.set_primary(link, True)
        self.calls()
        self.links.give_up_all()
        self.assertEqual(self.calls(), [])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_watch(self) -> None:
        """
        A Connect that watches a user learns at once that the user is online here.
        """
        link = self.stream()
        self.users(link, 1)
        link.next_frame()
        self.links.users.apply_watch(link, rest_pb2.WatchDelta(add=[1, 2]))
        frame = link.next_frame()
        assert frame is not None
        self.assertEqual(
            [(p.user, p.online) for p in frame.batch.presence], [(1, True)]
        )
