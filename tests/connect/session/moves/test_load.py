"""
Tests of the load that Message is told.
"""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from wsmsg.connect.session.moves.alternatives import OtherConnect
from wsmsg.connect.session.moves.load import LoadReport, connect_of, load_of
from wsmsg.rpc import rest_pb2


class FakeStream:
    """
    Collects what it is told.
    """

    def __init__(self) -> None:
        self.told: list[int] = []

    def load(self, load: rest_pb2.ConnectLoad) -> None:
        self.told.append(load.sessions)


class LoadReportTests(SynchronousTestCase):
    """
    L{LoadReport}.
    """

    def test_changes(self) -> None:
        """
        Each stream is told the load once, and again when it has changed: at once that
        clients are taken or not, and within a second another number of sessions.
        """
        own = OtherConnect("a", "wss://a", 1, 10, True)
        clock = Clock()
        report = LoadReport(lambda: load_of(own), clock.seconds)
        one, two = FakeStream(), FakeStream()
        report.look([one])
        report.look([one, two])
        self.assertEqual((one.told, two.told), ([1], [1]))
        own.sessions = 2
        report.look([one, two])
        self.assertEqual((one.told, two.told), ([1], [1]))
        clock.advance(1)
        report.look([one, two])
        self.assertEqual((one.told, two.told), ([1, 2], [1, 2]))
        own.accepting, own.sessions = False, 3
        report.look([one, two])
        self.assertEqual((one.told, two.told), ([1, 2, 3], [1, 2, 3]))

    def test_new_stream(self) -> None:
        """
        A stream that takes the place of a lost one is told too.
        """
        report = LoadReport(lambda: rest_pb2.ConnectLoad(sessions=7), Clock().seconds)
        report.look([FakeStream()])
        again = FakeStream()
        report.look([again])
        self.assertEqual(again.told, [7])

    def test_both_ways(self) -> None:
        """
        A load is the same Connect at the other end.
        """
        own = OtherConnect("a", "wss://a", 1, 10, True)
        self.assertEqual(connect_of(load_of(own)), own)
