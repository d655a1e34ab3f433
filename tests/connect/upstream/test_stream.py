"""
Tests of the frames on Connect's streams, without any network.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.connect.upstream.doubles import World, client_ids
from wsmsg.model import Cursor, Message
from wsmsg.rpc import rest_pb2

SNAPSHOT = rest_pb2.PresenceDelta


def push(text: str, *targets: int) -> rest_pb2.Push:
    message = rest_pb2.ChatMessage(conversation="u:1:2", seq=1, content=text)
    return rest_pb2.Push(message=message, targets=targets)


class SendTests(SynchronousTestCase):
    """
    Sends over streams that are lost and replaced.
    """

    def test_answered(self) -> None:
        """
        Sends leave together in order, and each gets its own answer.
        """
        world = World()
        world.start("a:1")
        stream = world.message().stream
        for name in ("one", "two"):
            world.send(name)
        (frame,) = stream.frames()
        self.assertEqual(client_ids(frame), ["one", "two"])
        self.assertEqual(frame.sends[0].content, "text of one")
        one, two = (send.id for send in frame.sends)
        stream.accept(one)
        rejection = rest_pb2.SendResult(
            id=two, code="overloaded", reason="full", retry_after_ms=70
        )
        stream.say(results=[rejection])
        self.assertEqual(world.answers["one"].time_ms, 1000 + one)
        answer = world.answers["two"]
        self.assertEqual(
            (answer.time_ms, answer.code, answer.retry_after_ms), (0, "overloaded", 70)
        )

    def test_waits_for_a_stream(self) -> None:
        """
        Sends made without any stream leave on the first one that is up, in order,
        before new ones and after the users.
        """
        world = World()
        world.edge.there = [1]
        world.start()
        world.send("one")
        world.send("two")
        world.message().refuses = ""
        world.run(0.2)
        world.send("three")
        snapshot, live = world.message().stream.frames()
        self.assertEqual(snapshot.presence.snapshot, SNAPSHOT.WHOLE)
        self.assertEqual(client_ids(live), ["one", "two", "three"])

    def test_unsure(self) -> None:
        """
        While it is not sure which users are still there, the stream says nothing of
        them, and then names only those who are; the stream stays meanwhile.
        """
        world = World("a:1,b:1")
        world.edge.there, world.edge.unsure = [1, 2], True
        for name in ("a:1", "b:1"):
            message = world.message(name)
            message.refuses, message.heartbeat_ms = "", 1500
        world.upstream.startService()
        world.clock.advance(0)
        a, b = (world.message(name).stream for name in ("a:1", "b:1"))
        world.run(2.5)
        world.upstream.user_left(2)
        self.assertEqual((a.frames(), b.reaches), ([], []))
        world.edge.there, world.edge.unsure = [1], False
        snapshot, *more = a.frames()
        self.assertEqual(list(snapshot.presence.online), [1])
        self.assertEqual([list(f.presence.online) for f in more], [[]])
        self.assertEqual((a.dropped, b.dropped), ("", ""))

    def test_moved(self) -> None:
        """
        The unanswered sends of a lost stream go to another, in order, before new ones.
        """
        world = World("a:1,b:1")
        world.start("a:1", "b:1")
        a, b = (world.message(name).stream for name in ("a:1", "b:1"))
        world.send("one")
        world.send("two")
        numbers = [send.id for send in a.take().sends]
        world.send("three")
        a.accept(numbers[0])
        a.lose()
        world.send("four")
        self.assertEqual(client_ids(b.take()), ["two", "three", "four"])
        self.assertEqual(list(world.answers), ["one"])

    def test_sent_again_after_reconnecting(self) -> None:
        """
        With one Message, unanswered sends are sent again on its next stream.
        """
        world = World()
        world.start("a:1")
        world.send("one")
        world.message().stream.take()
        world.message().stream.lose()
        world.send("two")
        world.run(0.2)
        self.assertEqual(client_ids(world.message().stream.take()), ["one", "two"])

    def test_too_old(self) -> None:
        """
        A send without an answer is rejected once, with a hint; a late answer is
        ignored.
        """
        world = World(send_timeout_s=5)
        world.start("a:1")
        stream = world.message().stream
        world.send("one")
        (sent,) = stream.take().sends
        world.run(4.9)
        self.assertEqual(world.answers, {})
        world.run(0.5)
        answer = world.answers["one"]
        self.assertEqual((answer.time_ms, answer.code), (0, "unavailable"))
        self.assertGreater(answer.retry_after_ms, 0)
        stream.accept(sent.id)
        self.assertIs(world.answers["one"], answer)

    def test_too_old_and_not_sent(self) -> None:
        """
        A send that was rejected while it waited is not written any more.
        """
        world = World(send_timeout_s=1)
        world.start()
        world.send("one")
        world.run(1.5)
        self.assertEqual(world.answers["one"].code, "unavailable")
        world.send("two", "u:1:3")  # what comes behind the refused one is refused too
        world.message().refuses = ""
        world.run(1)
        self.assertEqual(client_ids(world.message().stream.take()), ["two"])

    def test_too_many(self) -> None:
        """
        A send over the limit is rejected at once as overloaded.
        """
        world = World(limits={"waiting_sends": 2})
        world.start()
        for name in ("one", "two", "three"):
            world.send(name)
        self.assertEqual(list(world.answers), ["three"])
        self.assertEqual(world.answers["three"].code, "overloaded")
        self.assertGreater(world.answers["three"].retry_after_ms, 0)

    def test_frames_are_bounded(self) -> None:
        """
        Many or long sends leave in several frames.
        """
        world = World()
        world.start("a:1")
        for n in range(1000):
            world.send(f"s{n}")
        frames = world.message().stream.frames()
        self.assertEqual([len(f.sends) for f in frames], [512, 488])


class PushTests(SynchronousTestCase):
    """
    Frames from Message.
    """

    def test_taken_and_acknowledged(self) -> None:
        """
        A batch is delivered to the sessions, and acknowledged after that.
        """
        world = World()
        world.start("a:1")
        stream = world.message().stream
        typing = rest_pb2.Typing(conversation="u:1:2", user=2)
        cursor = rest_pb2.Cursor(conversation="u:1:2", user=2, delivered=4, read=3)
        stream.say(
            number=True,
            pushes=[push("hi", 1, 2)],
            typing=[rest_pb2.TypingPush(typing=typing, targets=[1])],
            receipts=[rest_pb2.ReceiptPush(cursor=cursor, targets=[1])],
            kicks=[rest_pb2.Kick(user=1, device="phone", reason="stolen")],
        )
        self.assertEqual(
            world.edge.calls,
            [
                ("push", Message("u:1:2", 0, "", 0, "hi", 0, 0, 1), (1, 2)),
                ("receipt", Cursor("u:1:2", 2, 4, 3), (1,)),
                ("typing", "u:1:2", 2, (1,)),
                ("kick", 1, "phone", "stolen"),
            ],
        )
        stream.say(number=True)
        self.assertEqual(stream.take().pushed, 2)
        self.assertEqual(stream.take().pushed, 0)

    def test_written(self) -> None:
        """
        A message counts as written at the end of the turn of the reactor, when the
        connections have it.  One that nobody here gets does not, and neither does one
        that has to wait in the outboxes of all its sessions.
        """
        world = World()
        world.start("a:1")
        edge, stages = world.edge, world.upstream.stages()
        edge.there = [1, 2]
        for waits, targets in ((0, (1, 2)), (1, (1, 2)), (2, (1, 2)), (0, (3,))):
            edge.waits = waits
            world.message().stream.say(number=True, pushes=[push("hi", *targets)])
        counts = [stages[n].count for n in ("pushed_written", "received_written")]
        self.assertEqual(counts, [0, 0])
        world.clock.advance(0)
        counts = [stages[n].count for n in ("pushed_written", "received_written")]
        self.assertEqual(counts, [2, 2])

    def test_resumed(self) -> None:
        """
        After Message resumes, pushes go on, and only sessions that opened meanwhile
        resync, once Message knows them.
        """
        world = World()
        world.edge.there = [1]
        world.start("a:1")
        self.assertEqual(
            world.edge.calls, [("resync", "Message is new to this node", 0.0)]
        )
        world.edge.calls.clear()
        world.message().stream.say(number=True)
        world.message().resumes = True
        world.clock.advance(10)
        world.message().stream.lose()
        world.clock.advance(0.1)
        stream = world.message().stream
        self.assertEqual(stream.hello.resume_incarnation, "m1")
        self.assertEqual(stream.hello.resume_from, 1)
        stream.say(number=True, pushes=[push("meanwhile", 1)])
        self.assertEqual([what for what, *_ in world.edge.calls], ["push"])
        stream.apply()
        _, (what, _, since_s) = world.edge.calls
        self.assertEqual(what, "resync")
        self.assertTrue(1008 < since_s <= 1010, since_s)

    def test_resumed_with_users_unknown(self) -> None:
        """
        Users whose delta the lost stream had not applied resync as well, though they
        joined before the loss was noticed.
        """
        world = World()
        world.start("a:1")
        world.clock.advance(3)
        world.upstream.user_joined(1)
        world.edge.there = [1]
        world.message().stream.take()
        world.clock.advance(4)
        world.message().resumes = True
        world.message().stream.lose()
        world.clock.advance(0.1)
        world.message().stream.apply()
        ((_, _, since_s),) = world.edge.calls
        self.assertLessEqual(since_s, 1003)

    def test_not_resumed(self) -> None:
        """
        If Message cannot resume, all sessions resync, and numbers restart.
        """
        world = World()
        world.edge.there = [1]
        world.start("a:1")
        world.message().stream.say(number=True)
        world.edge.calls.clear()
        world.message().incarnation = "m2"
        world.message().stream.lose()
        world.run(0.2)
        stream = world.message().stream
        self.assertEqual(world.edge.calls, [])
        stream.apply()
        self.assertEqual(world.edge.calls, [("resync", "Message restarted", 0.0)])
        stream.say(number=1)
        self.assertEqual(stream.take().pushed, 1)

    def test_lost_before_the_resync(self) -> None:
        """
        A resync that a stream did not live to send is sent after the next stream is
        up.
        """
        world = World()
        world.edge.there = [1]
        world.message().refuses = ""
        world.start()
        self.assertEqual(world.edge.calls, [])
        world.message().resumes = True
        world.message().stream.lose()
        world.run(0.2)
        world.message().stream.apply()
        ((what, _, since_s),) = world.edge.calls
        self.assertEqual(what, "resync")
        self.assertLessEqual(since_s, 0.0)

    def test_nobody_here(self) -> None:
        """
        Without any session no resync is sent.
        """
        world = World()
        world.start("a:1")
        self.assertEqual(world.edge.calls, [])

    def test_newer_message(self) -> None:
        """
        A type of message that only a newer Message has is ignored.
        """
        world = World()
        world.start("a:1")
        stream = world.message().stream
        stream.protocol.messageReceived(rest_pb2.MessageStreamResponse())
        self.assertEqual(stream.dropped, "")


class EphemeralTests(SynchronousTestCase):
    """
    Cursors and typing signals.
    """

    def test_cursors(self) -> None:
        """
        The highest of several cursors of a user is written, also after a loss.
        """
        world = World()
        world.start("a:1")
        world.message().stream.lose()
        world.upstream.cursor("u:1:2", 1, 5, 0)
        world.upstream.cursor("u:1:2", 1, 4, 3)
        world.upstream.cursor("u:1:2", 2, 1, 0)
        world.run(0.2)
        cursors = world.message().stream.take().cursors
        told = [(c.conversation, c.user, c.delivered, c.read) for c in cursors]
        self.assertEqual(told, [("u:1:2", 1, 5, 3), ("u:1:2", 2, 1, 0)])

    def test_cursors_of_only_sessions(self) -> None:
        """
        A cursor is marked if the session that said it was the only one of its user, and
        the user has one session still.
        """
        world = World()
        world.start("a:1")
        there = {1: [1], 2: [1, 1], 3: [1, 2], 4: [2, 1]}
        for user, counts in there.items():
            for seq, count in enumerate(counts, 1):
                world.edge.there = [user] * count
                world.upstream.cursor("u:1:2", user, seq, 0)
        world.upstream.cursor("u:1:5", 5, 1, 0)
        world.edge.there = [1, 2, 3, 4]
        cursors = world.message().stream.take().cursors
        alone = [c.user for c in cursors if c.alone]
        self.assertEqual(alone, [1, 2])

    def test_typing(self) -> None:
        """
        A typing signal is written once a frame, and dropped after a loss.
        """
        world = World()
        world.start("a:1")
        world.upstream.typing("u:1:2", 1)
        world.upstream.typing("u:1:2", 1)
        self.assertEqual(len(world.message().stream.take().typing), 1)
        world.upstream.typing("u:1:2", 1)
        world.message().stream.lose()
        world.upstream.typing("u:1:2", 2)
        world.run(0.2)
        self.assertEqual(len(world.message().stream.take().typing), 0)
