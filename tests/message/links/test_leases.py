"""
Which Message writes the users of a Connect, and what a move of that leaves behind.
"""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tests.message.links.test_links import SNAPSHOT, RecordingPresence
from wsmsg.message.links.leases import LATE_S, SETTLED_S
from wsmsg.message.links.link import Link
from wsmsg.message.links.links import Links
from wsmsg.rpc import rest_pb2


class LeaseTests(SynchronousTestCase):
    """
    One Message of several, with one Connect.
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
        self.links.apply_presence(
            link,
            rest_pb2.PresenceDelta(number=1, online=users, snapshot=SNAPSHOT.WHOLE),
        )

    def told(self) -> list[tuple[object, ...]]:
        told, self.presence.told = self.presence.told, []
        return told

    def test_becomes(self) -> None:
        """
        A Message that becomes the primary writes all users at once, then renews.
        """
        link = self.stream()
        self.users(link, 1, 2)
        self.links.renew_leases()
        self.assertEqual(self.told(), [])
        self.links.set_primary(link, True)
        self.assertEqual(self.told(), [("replace", "n", [1, 2])])
        self.links.renew_leases()
        self.assertEqual(self.told(), [("renew", "n")])

    def test_said_again(self) -> None:
        """
        To be told twice is nothing new.
        """
        link = self.stream()
        self.users(link, 1)
        self.links.set_primary(link, True)
        self.told()
        self.links.set_primary(link, True)
        self.assertEqual(self.told(), [])

    def test_before_the_users_are_known(self) -> None:
        """
        Nobody is written off while the Connect still tells who it has.
        """
        link = self.stream()
        self.links.set_primary(link, True)
        self.links.renew_leases()
        self.assertEqual(self.told(), [])
        self.users(link, 1)
        self.assertEqual(self.told(), [("replace", "n", [1])])

    def test_written_twice(self) -> None:
        """
        When an old primary must have given up, the users are written once more: what
        it said last is gone then.
        """
        link = self.stream()
        self.users(link, 1)
        self.links.set_primary(link, True)
        self.told()
        for _ in range(int(SETTLED_S) - 1):
            self.clock.advance(1.0)
            self.links.renew_leases()
            self.assertEqual(self.told(), [("renew", "n")])
        self.clock.advance(1.0)
        self.links.apply_presence(link, rest_pb2.PresenceDelta(number=2, online=[2]))
        self.assertEqual(self.told(), [("change", "n", [2], [])])
        self.links.renew_leases()
        self.assertEqual(self.told(), [("replace", "n", [1, 2])])
        self.links.renew_leases()
        self.assertEqual(self.told(), [("renew", "n")])

    def test_stood_still(self) -> None:
        """
        A Message that stood still first hears whether it is the primary even now; then
        it writes all users, as their lease may be over.
        """
        link = self.stream()
        self.users(link, 1)
        self.links.set_primary(link, True)
        self.told()
        self.clock.advance(LATE_S)
        beat = rest_pb2.PresenceDelta(number=2)
        self.links.apply_presence(link, beat)  # that came while nobody read
        self.links.renew_leases()
        self.links.apply_presence(link, rest_pb2.PresenceDelta(number=3, online=[2]))
        self.assertEqual(self.told(), [])
        self.clock.advance(1.0)
        self.links.renew_leases()
        self.assertEqual(self.told(), [("replace", "n", [1, 2])])
        self.links.apply_presence(link, rest_pb2.PresenceDelta(number=4, offline=[1]))
        self.assertEqual(self.told(), [("change", "n", [], [1])])

    def test_stood_still_and_lost(self) -> None:
        """
        One whose Connect went to another meanwhile writes nothing about it.
        """
        link = self.stream()
        self.users(link, 1)
        self.links.set_primary(link, True)
        self.told()
        self.clock.advance(LATE_S)
        self.links.renew_leases()
        self.links.lost(link, "silent")
        self.clock.advance(1.0)
        self.links.renew_leases()
        self.assertEqual(self.told(), [])

    def test_ceases(self) -> None:
        """
        A Message that is not the primary any more writes nothing, and forgets nothing
        when the Connect goes.
        """
        link = self.stream()
        self.users(link, 1)
        self.links.set_primary(link, True)
        self.links.set_primary(link, False)
        self.told()
        self.links.apply_presence(link, rest_pb2.PresenceDelta(number=2, online=[3]))
        self.links.renew_leases()
        self.links.lost(link, "gone")
        self.clock.advance(2)
        self.assertEqual(self.told(), [])

    def test_stream_lost(self) -> None:
        """
        What has no stream is not renewed, so that the lease is another's that has;
        a Connect that stays away is forgotten.
        """
        link = self.stream()
        self.users(link, 1)
        self.links.set_primary(link, True)
        self.told()
        self.links.lost(link, "gone")
        self.links.renew_leases()
        self.assertEqual(self.told(), [])
        self.clock.advance(2)
        self.assertEqual(self.told(), [("forget", "n")])

    def test_back_as_another(self) -> None:
        """
        A Connect that is back says itself whether we are still its primary.
        """
        link = self.stream()
        self.users(link, 1)
        self.links.set_primary(link, True)
        self.links.lost(link, "gone")
        self.told()
        link = self.stream()
        self.users(link, 1)
        self.links.renew_leases()
        self.assertEqual(self.told(), [])

    def test_message_stops(self) -> None:
        """
        A Message that stops says nothing about the users of Connects that live.
        """
        link = self.stream()
        self.users(link, 1)
        self.links.set_primary(link, True)
        self.told()
        self.links.give_up_all()
        self.assertEqual(self.told(), [])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_watch(self) -> None:
        """
        Who watches is told at once who is here.
        """
        link = self.stream()
        self.users(link, 1)
        link.next_frame()
        self.links.apply_watch(link, rest_pb2.WatchDelta(add=[1, 2]))
        frame = link.next_frame()
        assert frame is not None
        self.assertEqual(
            [(p.user, p.online) for p in frame.batch.presence], [(1, True)]
        )
