"""
Tests of sessions whose Message is a legacy one, which numbers no messages.
"""

from __future__ import annotations

from twisted.internet.defer import succeed

from tests.connect.session.cases import SessionTestCase
from tests.connect.session.doubles import FakeNode
from wsmsg.errors import Unsupported
from wsmsg.model import Mark, Message, UserPresence
from wsmsg.protocol import frames
from wsmsg.protocol import json as codec_json
from wsmsg.protocol import protobuf as codec_protobuf


def message(message_id: int, text: str = "hi") -> Message:
    return Message("u:1:2", 2, "", message_id, text, 1, 7000)


class UnnumberedSessionTests(SessionTestCase):
    """
    Requests and answers of a client.
    """

    def setUp(self) -> None:
        self.node = FakeNode()
        self.upstream = self.node.upstream
        self.upstream.unnumbered = True

    def test_welcome(self) -> None:
        """
        The welcome says that messages have no numbers, in both codecs, and does not
        wait for conversations.
        """
        for codec in (codec_json.CODEC, codec_protobuf.CODEC):
            client = self.node.client(codec=codec)
            client.say(frames.Hello("token-1"))
            (welcome,) = client.heard()
            assert isinstance(welcome, frames.Welcome)
            self.assertTrue(welcome.limits.unnumbered)
            self.assertEqual((welcome.heads, welcome.synced), ((), True))
        self.assertEqual(self.upstream.named("heads"), [])

    def test_send(self) -> None:
        """
        A send goes to a user or a group; a send of another kind than text is rejected.
        """
        client = self.node.log_in(1)
        client.say(frames.Send("a", to=2, content="x"), frames.Send("b", group=5))
        sent = [new.conversation for new, _ in self.upstream.sends]
        self.assertEqual(sent, ["u:1:2", "g:5"])
        client.say(frames.Send("c", to=2, kind=7))
        self.assert_rejected(client, "unsupported")

    def test_groups_and_recall(self) -> None:
        """
        Changes of groups and recalls are rejected, and the connection goes on.
        """
        client = self.node.log_in(1)
        for frame in (
            frames.CreateGroup("a", "Us", (2,)),
            frames.ChangeGroup("b", 5, (2,)),
            frames.Recall("c", "u:1:2", 3),
        ):
            client.say(frame)
            rejected = self.assert_rejected(client, "unsupported")
            self.assertEqual(rejected.client_id, frame.client_id)
        self.assertEqual((self.upstream.sends, client.peer.closed), ([], None))

    def test_reads(self) -> None:
        """
        A read is refused with the id of the request.
        """
        client = self.node.log_in(1)
        client.say(frames.Sync("q", "u:1:2"))
        self.upstream.asked.pop().errback(Unsupported("no"))
        self.assert_error(client, "unsupported", "q")

    def test_delivered_and_read(self) -> None:
        """
        C{delivered} has no effect; C{read} marks single messages by their ids.
        """
        client = self.node.log_in(1)
        client.say(frames.Read("u:1:2", 0, 77))
        self.assertEqual(self.upstream.named("mark"), [(1, (Mark(1, 77),))])
        client.say(frames.Read("u:1:2", 5), frames.Read("u:1:2", 5, 78))
        self.assertEqual(len(self.upstream.named("mark")), 2)
        self.assertEqual(client.heard(), [])

    def test_read_by_id_of_a_numbered_message(self) -> None:
        """
        With numbers, too, a single message can be marked.
        """
        self.upstream.unnumbered = False
        client = self.node.log_in(1)
        client.say(frames.Read("u:1:2", 0, 77), frames.Read("u:1:2", 9, 78))
        self.assertEqual(self.upstream.named("mark"), [(1, (Mark(1, 77),))])
        self.assertEqual(self.upstream.named("cursor"), [("u:1:2", 1, 9, 9)])
        client.say(frames.Read("u:1:2", 0, 0))
        self.assert_error(client, "bad_frame")

    def test_not_marked(self) -> None:
        """
        A mark that cannot be stored is answered with an error, and the connection goes
        on.
        """
        client = self.node.log_in(1)
        client.say(frames.Read("u:1:2", 0, 77))
        self.upstream.asked.pop().errback(Unsupported("no"))
        self.assert_error(client, "unsupported")

    def test_repeats(self) -> None:
        """
        A message that is pushed again is dropped; another message with its id is not.
        """
        client = self.node.log_in(1)
        push = self.node.registry.push
        having = [
            push(message(5), (1,)),
            push(message(5), (1,)),
            push(message(5, "other"), (1,)),
            push(message(6), (1, 99)),
        ]
        self.assertEqual(having, [1, 1, 1, 1])
        self.assertEqual(push(message(7), (99,)), 0)
        heard = [
            (deliver.seq, deliver.message_id, deliver.content)
            for deliver in client.heard()
            if isinstance(deliver, frames.Deliver)
        ]
        self.assertEqual(heard, [(0, 5, "hi"), (0, 5, "other"), (0, 6, "hi")])
        self.assertEqual(self.node.registry.counters.repeats, 1)

    def test_renew(self) -> None:
        """
        Clients are asked to reconnect when the kind of Message changes, and may return
        to this node.
        """
        client = self.node.log_in(1)
        self.upstream.unnumbered = False
        self.node.registry.reconnect_all("it changed")
        self.node.pass_time(10)
        goaway, *_ = client.heard()
        assert isinstance(goaway, frames.Goaway)
        self.assertEqual(goaway.reason, "it changed")
        assert client.peer.code is not None
        self.assertEqual(client.peer.code.name, "DRAIN")
        again = self.node.log_in(1)
        self.assertIsNone(again.peer.closed)

    def test_watch(self) -> None:
        """
        Users of this node are online, and no others are known to be.
        """
        client = self.node.log_in(1)
        self.node.log_in(2)
        self.upstream.presence = lambda users, asker=0: succeed(  # type: ignore[method-assign]
            [UserPresence(user, user in self.node.registry) for user in users]
        )
        client.say(frames.Watch((2, 3)))
        told = [frame for frame in client.heard() if isinstance(frame, frames.Presence)]
        self.assertEqual([(p.user, p.online) for p in told], [(2, True), (3, False)])
