"""
The way to a Message that one Connect cannot reach, while another Message reaches it.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from tests.connect.upstream.doubles import MemoryMessage, World
from wsmsg.connect.discovery.reach import PATIENCE_S
from wsmsg.connect.discovery.ways import FIRST_DIRECT_S
from wsmsg.rpc import rest_pb2

#: Within this time the pushes of a Message whose way is gone arrive on another.
MOST_S = 2.0


class WaysTests(SynchronousTestCase):
    """
    A Connect with the Messages a and b; the way to b breaks.
    """

    def setUp(self) -> None:
        self.world = World("a:1,b:1", upstream={"partial_s": 30})
        self.a, self.b = (self.world.message(name) for name in ("a:1", "b:1"))
        for message, address in ((self.a, "10.0.0.1:1"), (self.b, "10.0.0.2:1")):
            message.heartbeat_ms = 1500
            message.resumes = False
            message.address = address
        self.world.edge.there = [1]
        self.world.start("a:1", "b:1")
        self.live(1, self.a, self.b)
        self.b.resumes = True

    def live(self, seconds: float, *alive: MemoryMessage) -> None:
        """
        Let time pass, in which these Messages answer what they are sent.
        """
        for _ in range(round(seconds / 0.05)):
            self.world.clock.advance(0.05)
            for message in alive:
                if message.stream.protocol is not None:
                    message.stream.apply()

    def asked(self) -> list[tuple[Any, Any]]:
        """
        Take the questions to a whether it reaches another Message.
        """
        found = list(self.a.stream.reaches)
        self.a.stream.reaches.clear()
        return found

    def break_way(self) -> None:
        """
        Break the way to b, and let the stream go through a.
        """
        self.live(1.3, self.a)
        [(request, answer)] = self.asked()
        self.assertEqual(request.address, "10.0.0.2:1")
        answer.callback(rest_pb2.ReachResponse(reached=True))
        self.live(0.4, self.a, self.b)

    def resyncs(self) -> int:
        return sum(call[0] == "resync" for call in self.world.edge.calls)

    def test_around(self) -> None:
        """
        The stream to b, which is silent and which a reaches, goes on through a in less
        than two seconds: it resumes, so nothing is missed and no session syncs.
        """
        began_s, before = self.world.clock.seconds(), self.resyncs()
        silent = self.b.stream
        self.break_way()
        self.assertLess(self.world.clock.seconds() - began_s, MOST_S)
        self.assertIn("and answers another one", silent.dropped)
        self.assertEqual(self.world.relayed, [("a:1", "10.0.0.2:1")])
        self.assertIsNot(self.b.stream, silent)
        self.assertEqual(self.b.stream.hello.resume_incarnation, "m1")
        self.assertEqual(self.resyncs() - before, 1)  # of those who joined meanwhile
        self.assertEqual([d.up for d in self.world.upstream.dependencies()], [True] * 2)

    def test_message_is_silent(self) -> None:
        """
        The stream to b stays as long as a Message may be silent, if a does not reach b
        either.
        """
        silent = self.b.stream
        for _ in range(6):
            self.live(0.6, self.a)
            for _, answer in self.asked():
                answer.callback(rest_pb2.ReachResponse(reached=False))
        self.assertEqual(silent.dropped, "")
        self.assertEqual(self.world.relayed, [])
        self.live(1.5, self.a)
        self.assertIn("silent for 4.5 s", silent.dropped)
        # The way may be at fault all the same.
        self.assertEqual(self.world.relayed, [("a:1", "10.0.0.2:1")])

    def test_answered_meanwhile(self) -> None:
        """
        The stream to b stays if b answers while a is asked.
        """
        self.live(1.3, self.a)
        [(_, answer)] = self.asked()
        self.live(0.3, self.a, self.b)
        answer.callback(rest_pb2.ReachResponse(reached=True))
        self.assertEqual(self.b.stream.dropped, "")

    def test_straight_again(self) -> None:
        """
        Once b answers at its own address, the stream goes there again.
        """
        self.break_way()
        through = self.b.stream
        self.live(FIRST_DIRECT_S + 1, self.a, self.b)
        self.assertIn("direct way", through.dropped)
        self.assertIsNot(self.b.stream, through)
        self.assertEqual(len(self.world.relayed), 1)
        self.live(60, self.a, self.b)
        self.assertEqual(self.b.stream.dropped, "")

    def test_down(self) -> None:
        """
        While b refuses attempts and a does not reach it, no attempt goes through a,
        which is asked more and more seldom.
        """
        self.b.refuses = "connection refused"
        self.b.stream.lose()
        times: list[float] = []
        for _ in range(600):
            self.live(0.1, self.a)
            for _, answer in self.asked():
                times.append(self.world.clock.seconds())
                answer.callback(rest_pb2.ReachResponse(reached=False))
        self.assertEqual(self.world.relayed, [])
        self.assertLess(len(times), 12)
        self.assertGreaterEqual(times[-1] - times[-2], 10)

    def test_refused(self) -> None:
        """
        If a reaches b while b refuses this Connect, the way around is taken within two
        seconds, after one more attempt at b's own address.
        """
        began_s = self.world.clock.seconds()
        self.b.refuses = "no route to host"
        self.b.stream.lose()
        self.live(1.2, self.a)
        [(_, answer)] = self.asked()
        attempts = self.b.attempts
        answer.callback(rest_pb2.ReachResponse(reached=True))
        self.live(0.1, self.a)
        self.assertLess(self.world.clock.seconds() - began_s, MOST_S)
        self.assertEqual(self.world.relayed, [("a:1", "10.0.0.2:1")])
        self.assertEqual(self.b.attempts - attempts, 2)

    def test_starting(self) -> None:
        """
        A b that was only starting is reached at its own address.
        """
        self.b.refuses = "connection refused"
        self.b.stream.lose()
        self.live(1.2, self.a)
        [(_, answer)] = self.asked()
        self.b.refuses = ""
        answer.callback(rest_pb2.ReachResponse(reached=True))
        self.live(3, self.a, self.b)
        self.assertEqual(self.world.relayed, [])
        self.assertTrue(all(d.up for d in self.world.upstream.dependencies()))

    def test_said(self) -> None:
        """
        While the stream goes through a, an alarm names b, and the Messages are told.
        """
        self.break_way()
        self.b.refuses = "no route to host"
        self.live(PATIENCE_S - 1, self.a, self.b)
        self.assertEqual(self.world.alarms.current, ())
        told = []
        for _ in range(60):
            self.world.clock.advance(0.05)
            self.b.stream.apply()
            told.append(list(self.a.stream.apply().unreached.addresses))
        [alarm] = self.world.alarms.current
        self.assertEqual(
            (alarm.name, alarm.reason),
            ("unreachable_message", "no direct stream reaches the Message at b:1"),
        )
        self.assertIn(["b:1"], told)

    def test_clients_move(self) -> None:
        """
        Clients are asked to move when b has been out of reach for long and other
        Connects reach all Messages; not before, and not if there is no such Connect.
        """
        self.b.refuses = "no route to host"
        self.b.stream.lose()
        self.live(PATIENCE_S + 35, self.a)
        self.assertEqual(self.moves(), 0)
        self.a.stream.say(whole=2)
        self.live(1, self.a)
        self.assertEqual(self.moves(), 1)
        self.live(29, self.a)
        self.assertEqual(self.moves(), 1)
        self.live(2, self.a)
        self.assertEqual(self.moves(), 2)
        self.b.refuses = ""
        self.live(60, self.a, self.b)
        self.assertEqual(self.moves(), 2)

    def moves(self) -> int:
        return sum(call[0] == "reconnect_all" for call in self.world.edge.calls)


class GoneBeforeTests(SynchronousTestCase):
    """
    A Connect that starts while its way to b is gone.
    """

    def setUp(self) -> None:
        self.world = World("a:1,b:1")
        self.a, self.b = (self.world.message(name) for name in ("a:1", "b:1"))
        self.a.heartbeat_ms = 1500
        self.b.refuses = ""
        self.b.hangs = True

    def ask(self, *listed: str) -> tuple[str, Deferred[Any]]:
        """
        Start, and wait until a is asked whether it reaches b.

        @param listed: the list of Messages that a has; a is 10.0.0.1:1 there.
        """
        self.a.listed, self.a.address = listed, "10.0.0.1:1" if listed else ""
        self.world.start("a:1")
        for _ in range(24):
            self.world.clock.advance(0.05)
            self.a.stream.apply()
        [(request, answer)] = self.a.stream.reaches
        return request.address, answer

    def test_around(self) -> None:
        """
        The Connect has the stream to b through a within two seconds, though the attempt
        at b's own address would wait for longer.
        """
        began_s = self.world.clock.seconds()
        address, answer = self.ask()
        self.assertEqual((address, self.b.streams), ("b:1", []))
        answer.callback(rest_pb2.ReachResponse(reached=True))
        self.world.clock.advance(0)
        self.assertLess(self.world.clock.seconds() - began_s, MOST_S)
        self.assertEqual(self.world.relayed, [("a:1", "b:1")])
        self.b.stream.apply()
        self.assertTrue(all(d.up for d in self.world.upstream.dependencies()))

    def test_another_name(self) -> None:
        """
        If discovery has another name for b than the list of Messages, b is the one in
        the list that has no stream.
        """
        address, answer = self.ask("10.0.0.1:1", "10.0.0.2:1")
        self.assertEqual(address, "10.0.0.2:1")
        answer.callback(rest_pb2.ReachResponse(reached=True))
        self.world.clock.advance(0)
        self.assertEqual(self.world.relayed, [("a:1", "10.0.0.2:1")])

    def test_not_clear(self) -> None:
        """
        If several in the list have no stream, b keeps the name that discovery has.
        """
        address, _ = self.ask("10.0.0.1:1", "10.0.0.2:1", "10.0.0.3:1")
        self.assertEqual(address, "b:1")

    def test_down(self) -> None:
        """
        If a does not reach b either, the attempt goes on.
        """
        _, answer = self.ask()
        answer.callback(rest_pb2.ReachResponse(reached=False))
        self.world.run(0.3)
        self.assertEqual(self.world.relayed, [])
        self.assertEqual(self.world.upstream.dependencies()[1].snapshot().attempts, 1)
