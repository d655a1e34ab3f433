"""
Random frames: the answers are those of plain Autobahn.

C{WSMSG_SEED} and C{WSMSG_FUZZ_COUNT} set the seed, which a failure prints, and the
number of clients.
"""

from __future__ import annotations

import os
import random

from twisted.trial.unittest import SynchronousTestCase

from tests.connect.websocket.conformance.echo import EchoEdge, Event
from tests.connect.websocket.conformance.fuzzing import LIMIT, AutobahnEcho, Client

_COUNT = int(os.environ.get("WSMSG_FUZZ_COUNT") or 100)


class FuzzTests(SynchronousTestCase):
    """
    The same bytes, cut the same way, for Connect and for Autobahn.
    """

    def setUp(self) -> None:
        self.seed = int(os.environ.get("WSMSG_SEED") or random.randrange(2**32))
        self.edge = EchoEdge(
            limits={
                "frame_bytes": LIMIT,
                "handshakes_per_s": 10**6,
                "connections": 10**6,
                "connections_per_address": 10**6,
            }
        )

    def compare(self, spoils: bool) -> None:
        """
        Compare the answers to each client.
        """
        for number in range(_COUNT):
            name = f"WSMSG_SEED={self.seed}, client {number}"
            client = Client(random.Random(f"{self.seed}:{spoils}:{number}"), spoils)
            segments = list(client.segments(client.frames()))
            echo = self.edge.client(client.opcode)
            for segment in segments:
                echo.send(segment)
            ours, theirs = echo.heard(), AutobahnEcho(client.opcode).answers(segments)
            self.assertEqual(ours, theirs, name)
            self.assertNotIn("close", [kind for kind, _ in ours[:-1]], name)
            if ours and ours[-1][0] == "close":
                echo.finish(self)

    def test_allowed(self) -> None:
        """
        Every message comes back, and every ping is answered, in order.
        """
        self.compare(spoils=False)

    def test_forbidden(self) -> None:
        """
        A violation is answered with the same code after the same messages.
        """
        self.compare(spoils=True)

    def test_slow(self) -> None:
        """
        Every message comes back in order and every last ping is answered also where the
        transport is full and the session is paused at random.
        """
        for number in range(_COUNT):
            name = f"WSMSG_SEED={self.seed}, client {number}"
            dice = random.Random(f"{self.seed}:slow:{number}")
            client = Client(dice, spoils=False)
            frames = client.frames()
            at_once = AutobahnEcho(client.opcode).answers(frames)
            echo = self.edge.client(client.opcode)
            peer, protocol = self.edge.sessions[-1].peer, echo.transport.protocol
            for segment in client.segments(frames):
                dice.choice((peer.pause, peer.resume, int))()
                dice.choice((protocol.pauseProducing, protocol.resumeProducing, int))()
                echo.send(segment)
            protocol.resumeProducing()
            peer.resume()
            ours = echo.heard()
            self.assertEqual(_without_pongs(ours), _without_pongs(at_once), name)
            self.assertEqual(_pongs(ours)[-1:], _pongs(at_once)[-1:], name)
            self.assertLessEqual(len(_pongs(ours)), len(_pongs(at_once)), name)


def _without_pongs(events: list[Event]) -> list[Event]:
    return [event for event in events if event[0] != "pong"]


def _pongs(events: list[Event]) -> list[Event]:
    return [event for event in events if event[0] == "pong"]
