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

    def log_in(self, link: Link, device: str, number: int, last: int = 1) -> int:
        """
        Have a Connect report a login of user 7.

        @param last: the highest number of a login that Connect knows.
        @return: the number that Message answers.
        """
        self.links.users.apply_presence(
            link,
            rest_pb2.PresenceDelta(
                number=1,
                online=[7],
                logins=[rest_pb2.Login(user=7, device=device, number=number)],
                last_login=last,
            ),
        )
        return self.links.users.last_login

    def replaced(self, link: Link) -> list[tuple[int, str, int]]:
        frame = link.next_frame()
        kicks = frame.batch.kicks if frame is not None else ()
        return [(kick.user, kick.device, kick.last_login) for kick in kicks]

    def test_login_at_another_connect(self) -> None:
        """
        Other Connects are told of a login of a device that their user has, with its
        number: of equal numbers, the one at the Connect with the higher name is newer.
        """
        a, b, c = (self.subscribe(node) for node in "abc")
        self.log_in(b, "tab", 40)
        self.assertEqual([self.replaced(link) for link in (a, b, c)], [[], [], []])
        self.log_in(c, "phone", 30)
        self.assertEqual(self.replaced(b), [(7, "phone", 30)])
        self.log_in(b, "phone", 30)
        self.assertEqual(self.replaced(c), [(7, "phone", 29)])
        self.assertEqual([self.replaced(link) for link in (a, b)], [[], []])

    def test_numbers(self) -> None:
        """
        Message answers each report with a number above all that it has heard or given.
        """
        a, b = (self.subscribe(node) for node in "ab")
        given = [
            self.log_in(a, "phone", 2),
            self.log_in(b, "phone", 40, 40),
            self.log_in(a, "phone", 3, 3),
            self.log_in(a, "phone", 2**64 - 1, 2**64 - 1),
        ]
        self.assertEqual(given, [2, 41, 42, 43])
        frame = a.next_frame()
        assert frame is not None
        self.assertEqual(frame.batch.last_login, 43)

    def test_login_beside_an_older_connect(self) -> None:
        """
        A Connect of an older version, which numbers no logins, is told nothing; the
        login of one that numbers them otherwise is the newest.
        """
        a, b = (self.subscribe(node) for node in "ab")
        self.links.users.apply_presence(
            a,
            rest_pb2.PresenceDelta(
                number=1, online=[7], snapshot=rest_pb2.PresenceDelta.WHOLE
            ),
        )
        self.log_in(b, "phone", 40, 40)
        self.assertEqual(self.replaced(a), [])
        self.log_in(a, "phone", 0)
        self.assertEqual(self.replaced(b), [(7, "phone", 41)])
