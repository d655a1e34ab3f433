"""
Tests of dialling, reloading and stopping, without any network.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.connect.upstream.doubles import World, client_ids
from wsmsg.dependency.state import State
from wsmsg.rpc import rest_pb2


def push(text: str, *targets: int) -> rest_pb2.Push:
    message = rest_pb2.ChatMessage(conversation="u:1:2", seq=1, content=text)
    return rest_pb2.Push(message=message, targets=targets)


class DiallingTests(SynchronousTestCase):
    """
    Messages that are missing, appear, disappear, and return.
    """

    def test_waits_for_message(self) -> None:
        """
        Connect keeps dialling a missing Message, and shows each attempt and its
        reason.
        """
        world = World()
        world.upstream.startService()
        self.assertEqual(world.upstream.dependencies(), [])
        world.clock.advance(0)
        (dependency,) = world.upstream.dependencies()
        self.assertEqual(dependency.name, "message a:1")
        self.assertFalse(world.upstream.up)
        snapshot = dependency.snapshot()
        self.assertEqual(snapshot.last_error, "connection refused")
        self.assertEqual(snapshot.attempts, 1)
        self.assertAlmostEqual(snapshot.next_try_s or 0, 1000.1)
        world.run(1)
        self.assertGreater(dependency.snapshot().attempts, 3)
        world.message().refuses = ""
        world.run(2)
        self.assertTrue(world.upstream.up)
        self.assertIs(dependency.state, State.UP)

    def test_lost_and_back(self) -> None:
        """
        The loss of a stream is shown with its reason, and the stream is replaced.
        """
        world = World()
        world.start("a:1")
        world.message().stream.lose("connection reset by the peer")
        (dependency,) = world.upstream.dependencies()
        self.assertFalse(world.upstream.up)
        self.assertIs(dependency.state, State.CONNECTING)
        self.assertEqual(
            dependency.snapshot().last_error, "connection reset by the peer"
        )
        world.run(0.2)
        self.assertTrue(world.upstream.up)
        self.assertEqual(world.message().attempts, 2)

    def test_limit_of_attempts(self) -> None:
        """
        Without an attempt left or a stream up, the daemon is told once to end.
        """
        world = World(retry={"attempts": 3, "jitter": 0, "cap_s": 0.1})
        world.start()
        world.run(0.15)
        self.assertEqual(world.gave_up, [])
        world.run(1)
        self.assertEqual(
            world.gave_up, ["no attempt is left, message a:1: connection refused"]
        )
        self.assertIs(world.upstream.dependencies()[0].state, State.DOWN)
        self.assertEqual(world.message().attempts, 3)

    def test_limit_counts_from_the_last_success(self) -> None:
        """
        A loss is not a failed attempt, and failures before a success do not count.
        """
        world = World(retry={"attempts": 2, "jitter": 0, "cap_s": 0.1})
        world.start()
        world.message().refuses = ""
        world.run(0.15)
        self.assertTrue(world.upstream.up)
        world.message().refuses = "connection refused"
        world.message().stream.lose()
        world.run(0.15)
        self.assertEqual(world.gave_up, [])
        world.run(1)
        self.assertEqual(len(world.gave_up), 1)

    def test_one_of_two_missing(self) -> None:
        """
        A Message that stays away does not end a Connect that has another one.
        """
        world = World("a:1,b:1", retry={"attempts": 2, "jitter": 0})
        world.start("a:1")
        world.run(30)
        self.assertEqual(world.gave_up, [])
        self.assertTrue(world.upstream.up)
        world.message("b:1").refuses = ""
        world.run(11)
        states = [d.state for d in world.upstream.dependencies()]
        self.assertEqual(states, [State.UP, State.UP])

    def test_clock_is_forgotten(self) -> None:
        """
        A Message whose clock differs is named while Connect has a stream to it, and not
        after that.
        """
        world = World("a:1,b:1")
        world.message("a:1").unix_ms = 1
        world.start("a:1")
        world.run(0.5)
        (alarm,) = world.alarms.current
        self.assertEqual(alarm.name, "clocks_differ")
        world.message("a:1").refuses = "connection refused"
        world.message("a:1").stream.lose()
        world.run(0.5)
        self.assertNotIn("clocks_differ", [a.name for a in world.alarms.current])

    def test_short_lives(self) -> None:
        """
        A Message that drops each stream at once is dialled at growing intervals.
        """
        world = World()
        world.start("a:1")
        for _ in range(200):
            world.clock.advance(0.05)
            world.message().stream.lose()
        self.assertLess(world.message().attempts, 20)

    def test_subscribe(self) -> None:
        """
        A subscribe names the node and its incarnation.
        """
        world = World("a:1,b:1")
        world.start("a:1", "b:1")
        hello = world.message("a:1").stream.hello
        self.assertEqual(hello.connect_service_id, "connect-1")
        self.assertEqual(hello.incarnation, "c1")
        self.assertEqual(hello.link_version, 1)
        self.assertEqual(hello.resume_incarnation, "")

    def test_silent_peer(self) -> None:
        """
        A silent peer is probed, and dropped within 5 s.
        """
        world = World()
        world.message().heartbeat_ms = 60000
        world.start("a:1")
        stream = world.message().stream
        world.run(1.8)
        self.assertGreater(stream.take().presence.number, 1)
        world.run(2.6)
        self.assertEqual(stream.dropped, "")
        world.run(0.5)
        self.assertRegex(stream.dropped, "the peer was silent for 4.[5-9] s")

    def test_peer_answers(self) -> None:
        """
        A peer that has nothing to write but answers probes is kept.
        """
        world = World()
        world.message().heartbeat_ms = 1000
        world.start("a:1")
        for _ in range(200):
            world.clock.advance(0.1)
            stream = world.message().stream
            if (number := stream.take().presence.number) != 0:
                stream.say(presence_applied=number)
        self.assertEqual(world.message().attempts, 1)

    def test_a_check_that_fails(self) -> None:
        """
        A failure in the checks of each moment is logged, and the next checks are made.
        """
        world = World()
        world.start("a:1")

        def broken(_: float) -> None:
            raise RuntimeError("a bug")

        patched = self.patch(world.upstream._refresh, "sweep", broken)
        world.clock.advance(1)
        self.assertTrue(self.flushLoggedErrors(RuntimeError))
        patched.restore()
        world.message("a:1").stream.protocol.drain()
        world.send("c1")
        world.run(15)
        self.assertEqual(world.answers["c1"].code, "unavailable")

    def test_stalled(self) -> None:
        """
        A pause of this process is not taken for silence of the peer.
        """
        world = World()
        world.message().heartbeat_ms = 1000
        world.start("a:1")
        world.clock.advance(30)
        self.assertEqual(world.message().stream.dropped, "")

    def test_protocol_error(self) -> None:
        """
        A batch out of order drops the stream, and the next stream resumes before it.
        """
        world = World()
        world.start("a:1")
        stream = world.message().stream
        stream.say(number=1)
        stream.say(number=3, pushes=[push("lost", 1)])
        self.assertEqual(stream.dropped, "protocol error: push batch 3 came after 1")
        self.assertEqual(world.edge.calls, [])
        world.run(0.4)
        hello = world.message().stream.hello
        self.assertEqual((hello.resume_incarnation, hello.resume_from), ("m1", 1))

    def test_false_resume(self) -> None:
        """
        Another life of Message cannot resume a stream that it never had.
        """
        world = World()
        world.start("a:1")
        world.message().incarnation, world.message().resumes = "m2", True
        world.message().stream.lose()
        world.run(0.2)
        self.assertRegex(world.message().stream.dropped, "protocol error")
        self.assertFalse(world.upstream.up)

    def test_targets_change(self) -> None:
        """
        A reload with other Messages closes the old streams when their sends are
        answered, or soon after, and nothing is lost.
        """
        world = World()
        world.start("a:1")
        world.send("one")
        world.send("two", "u:1:3")
        old = world.message("a:1").stream
        first, _ = old.take().sends
        world.message("b:1").refuses = ""
        world.upstream.apply_settings(
            world.settings.model_copy(update={"discovery": "static:b:1"})
        )
        names = [d.name for d in world.upstream.dependencies()]
        self.assertEqual(names, ["message b:1"])
        world.run(1)
        old.accept(first.id)
        world.run(0.5)
        self.assertIsNotNone(old.protocol)
        new = world.message("b:1").stream
        self.assertEqual(client_ids(new.take()), [])
        world.run(1)
        self.assertIsNone(old.protocol)
        self.assertEqual(client_ids(new.take()), ["two"])
        world.run(30)
        self.assertEqual(world.message("a:1").attempts, 1)


class StopTests(SynchronousTestCase):
    """
    Stopping without loss.
    """

    def test_drains(self) -> None:
        """
        Stopping rejects new sends, waits for answers, then closes.
        """
        world = World()
        world.start("a:1")
        stream = world.message().stream
        world.send("one")
        (sent,) = stream.take().sends
        stopped = world.upstream.stopService()
        world.send("two")
        self.assertEqual(world.answers["two"].code, "unavailable")
        world.run(0.5)
        self.assertNoResult(stopped)
        stream.accept(sent.id)
        world.run(0.1)
        self.successResultOf(stopped)
        self.assertEqual(world.answers["one"].time_ms, 1000 + sent.id)
        self.assertIsNone(stream.protocol)
        self.assertEqual(world.clock.getDelayedCalls(), [])
        self.assertIs(world.upstream.dependencies()[0].state, State.STOPPED)

    def test_limit(self) -> None:
        """
        Sends that are not answered in the time to stop are rejected as unavailable.
        """
        world = World()
        world.start("a:1")
        world.send("one")
        drained = world.upstream.drain(0.5)
        world.run(0.4)
        self.assertNoResult(drained)
        world.run(0.2)
        self.successResultOf(drained)
        self.assertEqual(world.answers["one"].code, "unavailable")

    def test_while_dialling(self) -> None:
        """
        Stopping while Message is missing ends the attempts.
        """
        world = World()
        world.start()
        self.successResultOf(world.upstream.stopService())
        self.assertEqual(world.clock.getDelayedCalls(), [])

    def test_before_it_began(self) -> None:
        """
        Stopping in the turn of the start leaves nothing behind.
        """
        world = World()
        world.upstream.startService()
        self.successResultOf(world.upstream.stopService())
        self.assertEqual(world.clock.getDelayedCalls(), [])

    def test_last_words(self) -> None:
        """
        Cursors and acknowledgements that wait are in the last frame.
        """
        world = World()
        world.start("a:1")
        stream = world.message().stream
        stream.say(number=1)
        world.upstream.cursor("u:1:2", 1, 5, 4)
        stopped = world.upstream.stopService()
        world.run(0.1)
        self.successResultOf(stopped)
        self.assertEqual(stream.last.pushed, 1)
        self.assertEqual(stream.last.cursors[0].delivered, 5)


class ReloadTests(SynchronousTestCase):
    """
    Settings that change while streams are up.
    """

    def test_limits(self) -> None:
        """
        New timeouts and limits apply from the reload on, and no stream is touched.
        """
        world = World(send_timeout_s=50)
        world.start("a:1")
        world.send("one")
        limits = world.settings.limits.model_copy(update={"waiting_sends": 1})
        world.upstream.apply_settings(
            world.settings.model_copy(update={"send_timeout_s": 1, "limits": limits})
        )
        world.send("two")
        self.assertEqual(world.answers["two"].code, "overloaded")
        world.run(1.5)
        self.assertEqual(world.answers["one"].code, "unavailable")
        self.assertEqual(world.message().attempts, 1)

    def test_retry(self) -> None:
        """
        The next delay follows the new policy.
        """
        world = World(retry={"first_s": 1, "cap_s": 1, "jitter": 0})
        world.start()
        retry = world.settings.retry.model_copy(update={"first_s": 0.1, "cap_s": 0.1})
        world.upstream.apply_settings(
            world.settings.model_copy(update={"retry": retry})
        )
        world.run(1.5)
        self.assertGreater(world.message().attempts, 4)
        self.assertEqual(world.discovery_retry(1), 0.1)

    def test_before_start(self) -> None:
        """
        A reload before the streams are started starts no second discovery.
        """
        world = World()
        world.upstream.apply_settings(
            world.settings.model_copy(update={"discovery": "static:b:1"})
        )
        self.assertIsNone(world.discovery.changed)
        world.start("b:1")
        self.assertEqual(world.message("a:1").attempts, 0)
        self.assertEqual(world.message("b:1").attempts, 1)
