"""
The settings of one worker.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from wsmsg.daemon.worker.share import (
    WorkerNumber,
    moved,
    number_in,
    share_of,
    siblings_of,
)
from wsmsg.settings.values import ConnectSettings, LimitSettings, MessageSettings


class ShareTests(SynchronousTestCase):
    """
    L{share_of}, and the number of a worker.
    """

    def test_connect(self) -> None:
        """
        A worker has a name of its own, its part of the limits that are for all
        together, rounded up, and the whole of those of an address or a user.
        """
        limits = LimitSettings(connections=1001, connections_per_address=7)
        whole = ConnectSettings(node="edge", workers=2, limits=limits)
        share = share_of(whole, WorkerNumber(2, 2))
        self.assertEqual(share.node, "edge-2")
        self.assertEqual(share.limits.connections, 501)
        self.assertEqual(share.limits.handshakes_per_s, 250)
        self.assertEqual(share.drain.per_s, 250.0)
        self.assertEqual(share.limits.connections_per_address, 7)
        self.assertEqual(share.limits.connections_per_user, 8)
        self.assertEqual((share.listen, share.rpc_listen), tuple(_shared(whole)))
        self.assertEqual(share.admin_listen, "127.0.0.1:0")

    def test_count_of_the_start(self) -> None:
        """
        A process that starts after the number was changed in the file has its part of
        the number of workers that run.
        """
        share = share_of(ConnectSettings(workers=8), WorkerNumber(1, 2))
        self.assertEqual((share.workers, share.limits.connections), (2, 25000))

    def test_message(self) -> None:
        """
        Each worker of a Message has a gRPC listener, an address in the list of Messages
        and a number of its own.
        """
        whole = MessageSettings(
            node="m",
            rpc_listen="0.0.0.0:22004",
            advertise="10.0.0.1:22004",
            node_number=7,
        )
        first, third = (share_of(whole, WorkerNumber(n, 3)) for n in (1, 3))
        self.assertEqual(first.rpc_listen, whole.rpc_listen)
        self.assertEqual(third.rpc_listen, "0.0.0.0:22024")
        self.assertEqual(third.advertise, "10.0.0.1:22024")
        self.assertEqual((first.node_number, third.node_number), (7, 9))
        self.assertEqual(third.listen, whole.listen)
        by_itself = share_of(MessageSettings(), WorkerNumber(2, 2))
        self.assertEqual((by_itself.advertise, by_itself.node_number), ("", -1))

    def test_moved(self) -> None:
        """
        An address of IPv6 keeps its brackets, and a port that the system chooses stays.
        """
        self.assertEqual(moved("[::1]:22004", 1), "[::1]:22014")
        self.assertEqual(moved("127.0.0.1:0", 3), "127.0.0.1:0")

    def test_number(self) -> None:
        """
        The number is what a supervisor sets, and nothing else.
        """
        self.assertIsNone(number_in({}))
        self.assertEqual(number_in({"WSMSG_WORKER": "2/3"}), WorkerNumber(2, 3))
        for bad in ("2", "x/3", "0/3", "4/3", "1/2/3"):
            self.assertRaises(ValueError, number_in, {"WSMSG_WORKER": bad})

    def test_siblings(self) -> None:
        """
        The workers of one Connect know each other by their names.
        """
        self.assertEqual(siblings_of("a-b-2", 2), {"a-b-1", "a-b-2"})
        self.assertEqual(siblings_of("a-b-2", 1), {"a-b-2"})


def _shared(settings: ConnectSettings) -> list[str]:
    return [settings.listen, settings.rpc_listen]
