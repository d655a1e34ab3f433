"""
Requests of a welcomed client that concern groups, and recalls.
"""

from __future__ import annotations

import attrs

from tests.connect.session.cases import SessionTestCase
from tests.connect.session.doubles import Client, FakeNode
from wsmsg import model
from wsmsg.connect.upstream.interface import GroupView, SendAnswer
from wsmsg.errors import Forbidden
from wsmsg.events.group_change import GROUP, GroupChange, decode_change
from wsmsg.events.recall import RECALL
from wsmsg.model import group_conversation, group_of
from wsmsg.protocol import client_pb2 as pb
from wsmsg.protocol import frames
from wsmsg.protocol import protobuf as codec_protobuf
from wsmsg.protocol.frames import ChangeGroup, CreateGroup, Send


class GroupTests(SessionTestCase):
    """
    Groups: created, changed, sent to, read.
    """

    def setUp(self) -> None:
        self.node = FakeNode()
        self.client: Client = self.node.log_in(1001)

    def test_send(self) -> None:
        """
        A message to a group is sent in the conversation of the group.
        """
        self.client.say(Send("c1", group=5, content="hi"))
        ((new, _),) = self.node.upstream.sends
        self.assertEqual(tuple(new), (1001, "c1", "g:5", "hi", 1, 1, "", False, ""))

    def test_create(self) -> None:
        """
        A user who creates a group is its first member, and is told its conversation
        when the request is accepted.
        """
        self.client.say(CreateGroup("c1", "Us", (7, 8, 7, 1001), True))
        ((new, on_answer),) = self.node.upstream.sends
        name = group_conversation(group_of(1001, "c1"))
        self.assertEqual(
            (new.sender, new.client_id, new.conversation, new.kind),
            (1001, "c1", name, GROUP),
        )
        made = GroupChange(True, "Us", True, (1001, 7, 8))
        self.assertEqual(decode_change(new.content), made)
        on_answer(SendAnswer(time_ms=5))
        self.assertEqual(self.client.heard(), [frames.Accepted("c1", 5, name)])

    def test_create_again(self) -> None:
        """
        A request that is repeated, on any connection, is the same message.
        """
        self.client.say(CreateGroup("c1", "Us", (7,)))
        other = self.node.log_in(1001, "laptop")
        other.say(CreateGroup("c1", "Us", (7,)))
        first, again = (new for new, _ in self.node.upstream.sends)
        self.assertEqual(first, again._replace(session=first.session))

    def test_change(self) -> None:
        """
        Members are added and removed by a message of the group; a user leaves by
        removing themself.
        """
        self.client.say(ChangeGroup("c1", 5, (7, 7), (8,)))
        self.client.say(ChangeGroup("c2", 5, remove=(1001,)))
        first, second = (new for new, _ in self.node.upstream.sends)
        self.assertEqual((first.conversation, first.kind), ("g:5", GROUP))
        self.assertEqual(
            decode_change(first.content), GroupChange(add=(7,), remove=(8,))
        )
        self.assertEqual(decode_change(second.content), GroupChange(remove=(1001,)))
        self.node.upstream.accept(2)
        accepted = [frames.Accepted("c1", 5), frames.Accepted("c2", 5)]
        self.assertEqual(self.client.heard(), accepted)

    def test_refused_above(self) -> None:
        """
        A request that Message refuses is rejected with its id.
        """
        self.client.say(ChangeGroup("c1", 5, (7,)))
        self.node.upstream.sends[0][1](SendAnswer(0, "forbidden", "not the owner"))
        self.assert_rejected(self.client, "forbidden")

    def test_recall(self) -> None:
        """
        A recall is sent as a message that names the recalled one.
        """
        self.client.say(frames.Recall("c1", "u:7:1001", 17))
        self.client.say(frames.Recall("c2", "g:5", 3))
        sent = [tuple(new) for new, _ in self.node.upstream.sends]
        self.assertEqual(
            sent,
            [
                (1001, "c1", "u:7:1001", "17", RECALL, 1, "", False, ""),
                (1001, "c2", "g:5", "3", RECALL, 1, "", False, ""),
            ],
        )
        self.node.upstream.accept(2)
        accepted = [frames.Accepted("c1", 5), frames.Accepted("c2", 5)]
        self.assertEqual(self.client.heard(), accepted)

    def test_problems(self) -> None:
        """
        An invalid request is rejected with the reason, and not passed on.
        """
        many = tuple(range(1, 1002))
        for frame, code, word in (
            (CreateGroup("c"), "bad_request", "name"),
            (CreateGroup("c", "x" * 257), "bad_request", "name"),
            (CreateGroup("c", "a\nb"), "bad_request", "control"),
            (CreateGroup("c", "Us", (*many, 2000)), "bad_request", "1000"),
            (ChangeGroup("c", 5), "bad_request", "no members"),
            (ChangeGroup("c", 5, many), "bad_request", "1000"),
            (ChangeGroup("c", 5, many[:600], many[600:]), "bad_request", "1000"),
            (ChangeGroup("c", 5, (7,), (7,)), "bad_request", "both"),
            (frames.Recall("c", "u:7:8", 1), "forbidden", "not in"),
            (frames.Recall("c", "g:0", 1), "bad_request", "g:0"),
            (frames.Recall("c", "g:05", 1), "bad_request", "g:05"),
            (frames.Recall("c", "x:5", 1), "bad_request", "x:5"),
        ):
            self.client.say(frame)
            self.assertIn(word, self.assert_rejected(self.client, code).reason)
            self.node.clock.advance(1)
        self.assertEqual(self.node.upstream.sends, [])
        self.assertEqual(self.client.session.unanswered, 0)

    def test_not_understood(self) -> None:
        """
        A number that no group, user or message can have is an error that names the
        field.
        """
        for frame, field in (
            (ChangeGroup("c", 0, (1,)), "change_group.group"),
            (ChangeGroup("c", -5, (1,)), "change_group.group"),
            (ChangeGroup("c", 5, (0,)), "change_group.add"),
            (CreateGroup("c", "Us", (-1,)), "create_group.members"),
            (frames.Recall("c", "g:5", 0), "recall.seq"),
            (frames.Members("m", 0), "members.group"),
        ):
            self.client.say(frame)
            error = self.assert_error(self.client, "bad_frame")
            self.assertIn(field, error.reason)

    def test_rate_and_window(self) -> None:
        """
        Changes and recalls count like messages, in the rate and in the window.
        """
        node = FakeNode(window=2, sends_per_s=1, sends_burst=3)
        client = node.log_in(1001)
        client.say(
            CreateGroup("a", "Us"),
            ChangeGroup("b", 5, (7,)),
            frames.Recall("c", "g:5", 1),
        )
        self.assertFalse(client.peer.reading)
        node.upstream.accept(3)
        self.assertTrue(client.peer.reading)
        client.heard()
        client.say(frames.Recall("d", "g:5", 2))
        rejected = self.assert_rejected(client, "rate_limited")
        self.assertGreater(rejected.retry_after_ms, 0)

    def test_larger_than_content(self) -> None:
        """
        A change may name a thousand users, however short messages must be.
        """
        node = FakeNode(content_bytes=8)
        client = node.log_in(1001)
        client.say(ChangeGroup("c", 5, tuple(range(2**62, 2**62 + 1000))))
        ((new, _),) = node.upstream.sends
        self.assertEqual(len(decode_change(new.content).add), 1000)

    def test_members(self) -> None:
        """
        Members are sent page by page, with the description of the group.
        """
        node = FakeNode(page=2)
        client = node.log_in(1001)
        client.say(frames.Members("m1", 5))
        self.assertEqual(node.upstream.named("group"), [(1001, "g:5", 0, 2)])
        view = GroupView("Us", 1001, True, 3, [(7, 1), (8, 1)], more=True)
        node.upstream.asked.pop().callback(view)
        two = (frames.Member(7, 1), frames.Member(8, 1))
        told = frames.Group("m1", 5, "Us", 1001, True, 3, two, True)
        self.assertEqual(client.heard(), [told])
        client.say(frames.Members("m2", 5, after=8, limit=50))
        self.assertEqual(node.upstream.named("group")[1], (1001, "g:5", 8, 2))
        last = attrs.evolve(view, members=[(1001, 1)], more=False)
        node.upstream.asked.pop().callback(last)
        one = (frames.Member(1001, 1),)
        told = frames.Group("m2", 5, "Us", 1001, True, 3, one, False)
        self.assertEqual(client.heard(), [told])

    def test_members_short(self) -> None:
        """
        If Message returns fewer members than it was asked for, and there are more, the
        page says so.
        """
        self.client.say(frames.Members("m1", 5))
        view = GroupView("Us", 7, False, 2, [(7, 1)], more=True)
        self.node.upstream.asked.pop().callback(view)
        (told,) = self.client.heard()
        assert isinstance(told, frames.Group)
        self.assertTrue(told.more)

    def test_members_refused(self) -> None:
        """
        A user who is not a member is told so, with the id of the request.
        """
        self.client.say(frames.Members("m1", 5))
        self.node.upstream.asked.pop().errback(Forbidden("not in g:5"))
        self.assert_error(self.client, "forbidden", "m1")

    def test_cursors_typing_sync(self) -> None:
        """
        Cursors, typing and reads of a group are passed on, because only Message knows
        its members.
        """
        self.client.say(
            frames.Delivered("g:5", 3),
            frames.Read("g:5", 4),
            frames.Typing("g:5"),
            frames.Sync("s", "g:5"),
        )
        upstream = self.node.upstream
        cursors = [("g:5", 1001, 3, 0), ("g:5", 1001, 4, 4)]
        self.assertEqual(upstream.named("cursor"), cursors)
        self.assertEqual(upstream.named("typing"), [("g:5", 1001)])
        self.assertEqual(upstream.named("page"), [(1001, "g:5", 0, 100)])

    def test_names(self) -> None:
        """
        A name that no group can have is refused.
        """
        for name in ("g:", "g:0", "g:-1", "g:01", f"g:{2**63}", "g:x", "g:5 "):
            self.client.say(frames.Sync("s", name))
            self.assert_error(self.client, "bad_request", "s")


class PushTests(SessionTestCase):
    """
    Pushes to groups.
    """

    def message(self, seq: int) -> model.Message:
        return model.Message("g:5", 1, "c", 100 + seq, "hi", 1, 7, seq)

    def test_jumps(self) -> None:
        """
        Seqs may start anywhere and jump, when a user joins or joins again; repeats are
        still dropped (P4).
        """
        node = FakeNode()
        client = node.log_in(1001)
        for seq in (5, 6, 6, 5, 30, 6, 31, 30):
            node.registry.push(self.message(seq), [1001])
        heard = [f.seq for f in client.heard() if isinstance(f, frames.Deliver)]
        self.assertEqual(heard, [5, 6, 30, 31])
        self.assertEqual(node.registry.counters.repeats, 4)

    def test_shared(self) -> None:
        """
        All recipients but the sender get the same bytes object.
        """
        node = FakeNode()
        clients = [node.log_in(user) for user in range(1, 6)]
        node.registry.push(self.message(5), range(1, 6))
        written = [client.peer.written[0] for client in clients]
        self.assertEqual(len({id(data) for data in written}), 2)
        (own,) = clients[0].heard()
        assert isinstance(own, frames.Deliver)
        self.assertEqual(own.client_id, "c")


class HostileTests(SessionTestCase):
    """
    Member lists as large as a frame.
    """

    def test_huge(self) -> None:
        """
        Sixty thousand members in one frame are refused before they are checked one by
        one.
        """
        node = FakeNode()
        client = node.log_in(1001, codec=codec_protobuf.CODEC)
        users = [1] * 60_000
        for frame in (
            pb.ClientFrame(create_group=pb.CreateGroup(client_id="c", members=users)),
            pb.ClientFrame(
                change_group=pb.ChangeGroup(client_id="c", group=5, remove=users)
            ),
        ):
            client.raw(frame.SerializeToString())
            error = self.assert_error(client, "bad_frame")
            self.assertIn("more than 10000", error.reason)
