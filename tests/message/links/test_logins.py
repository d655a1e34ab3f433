"""
Logins of one device at several Connects.
"""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tests.message.presence.doubles import RecordingPresence
from wsmsg.message.links.link import Link
from wsmsg.message.links.links import Links
from wsmsg.rpc import rest_pb2


class LoginTests(SynchronousTestCase):
    """
    Connects that report the logins of their users.
    """

    def setUp(self) -> None:
        self.links = Links(
            RecordingPresence(),
            Clock(),
            grace_s=2,
            limit_records=10,
            limit_bytes=10**6,
        )

    def subscribe(self, node: str) -> Link:
        """
        Begin a stream of a Connect.
        """
        hello = rest_pb2.SubscribeRequest(connect_service_id=node, incarnation="i")
        link, _ = self.links.subscribe(hello, "own")
        link.opened(lambda: None, lambda reason: None)
        return link

    def log_in(self, link: Link, user: int, device: str, number: int) -> None:
        login = rest_pb2.Login(user=user, device=device)
        self.links.users.apply_presence(
            link,
            rest_pb2.PresenceDelta(
                number=number, online=[user], logins=[login], last_login=number
            ),
        )

    def replaced(self, link: Link) -> list[tuple[int, str, int]]:
        frame = link.next_frame()
        kicks = frame.batch.kicks if frame is not None else ()
        return [(kick.user, kick.device, kick.last_login) for kick in kicks]

    def test_login_at_another_connect(self) -> None:
        """
        A login of a device ends the sessions that the device has at other Connects,
        of all logins that were known before; whose clock is ahead does not matter.
        """
        a, b, c = (self.subscribe(node) for node in "abc")
        self.log_in(a, 7, "phone", 40)
        self.log_in(c, 8, "phone", 5)
        self.assertEqual([self.replaced(link) for link in (a, b, c)], [[], [], []])
        self.log_in(b, 7, "phone", 1)
        self.assertEqual(self.replaced(a), [(7, "phone", 40)])
        self.assertEqual([self.replaced(link) for link in (b, c)], [[], []])
        self.log_in(a, 7, "phone", 41)
        self.assertEqual(self.replaced(b), [(7, "phone", 1)])
        self.assertEqual(self.replaced(a), [])

    def test_login_beside_an_older_connect(self) -> None:
        """
        A Connect of an older version, which numbers no logins, is told nothing.
        """
        a, b = (self.subscribe(node) for node in "ab")
        self.links.users.apply_presence(
            a,
            rest_pb2.PresenceDelta(
                number=1, online=[7], snapshot=rest_pb2.PresenceDelta.WHOLE
            ),
        )
        self.log_in(b, 7, "phone", 1)
        self.assertEqual(self.replaced(a), [])
