"""
The registry: the sessions of users, and what is pushed to them.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from tests.connect.session.doubles import Client, FakeNode, message, unframed
from wsmsg import model
from wsmsg.connect.session.output import SEEN, DeliveredSeqs, framed
from wsmsg.connect.session.watchers import Watchers
from wsmsg.connect.upstream.interface import IEdge
from wsmsg.errors import Close, Unavailable
from wsmsg.protocol import frames
from wsmsg.protocol import json as codec_json
from wsmsg.protocol import protobuf as codec_protobuf
from wsmsg.protocol.frames import Deliver, Hello, Watch


class RegistrationTests(SynchronousTestCase):
    """
    Users, devices and sessions.
    """

    def test_interface(self) -> None:
        """
        The registry provides the interface that streams use.
        """
        verifyObject(IEdge, FakeNode().registry)

    def test_devices(self) -> None:
        """
        A user is online from the first device's login until the last device has gone.
        """
        node = FakeNode()
        phone, laptop = node.log_in(1001, "phone"), node.log_in(1001, "laptop")
        self.assertEqual(node.registry.users(), [1001])
        phone.hang_up()
        self.assertIn(1001, node.registry)
        self.assertEqual(node.upstream.named("user_left"), [])
        laptop.hang_up()
        self.assertNotIn(1001, node.registry)
        self.assertEqual(node.upstream.named("user_left"), [(1001,)])

    def test_replaced(self) -> None:
        """
        A newer login of a device replaces the older one, and the user never counts as
        gone.
        """
        node = FakeNode()
        old, other = node.log_in(1001, "phone"), node.log_in(1001, "laptop")
        new = node.log_in(1001, "phone")
        self.assertEqual(old.peer.code, Close.REPLACED)
        self.assertIsNone(other.peer.code)
        old.hang_up()
        node.registry.push(message(7, 1001, 1), [1001])
        self.assertEqual([len(c.heard()) for c in (old, other, new)], [0, 1, 1])
        self.assertEqual(node.upstream.named("user_left"), [])

    def test_kicked(self) -> None:
        """
        A kick ends the sessions of a user, or that of one device, with its reason;
        others stay.
        """
        node = FakeNode()
        phone, laptop = node.log_in(1001, "phone"), node.log_in(1001, "laptop")
        other = node.log_in(1002, "phone")
        node.registry.kick(1001, "tablet", "why")
        node.registry.kick(1003, "", "why")
        self.assertEqual([phone.peer.code, laptop.peer.code], [None, None])
        node.registry.kick(1001, "phone", "é" * 200)
        self.assertEqual([phone.peer.code, laptop.peer.code], [Close.KICKED, None])
        node.registry.kick(1001, "", "why")
        self.assertEqual([laptop.peer.code, other.peer.code], [Close.KICKED, None])
        self.assertNotIn(1001, node.registry)
        node.log_in(1001, "phone")

    def test_replaced_elsewhere(self) -> None:
        """
        A session whose device has a newer one at another Connect ends with 4503; one
        whose own login is newer stays, as does one whose login has no number yet, and
        other devices.
        """
        node = FakeNode()
        phone, laptop = node.log_in(1001, "phone"), node.log_in(1001, "laptop")
        again = node.log_in(1001, "phone")
        self.assertEqual(phone.peer.code, Close.REPLACED)
        logins = node.upstream.logins
        self.assertEqual(
            [login.device for login in logins], ["phone", "laptop", "phone"]
        )
        self.assertFalse(logins[0].numbered(2))
        first, last = 2, 4
        self.assertEqual(node.registry.replaced(1001, "phone", first), last)
        self.assertIsNone(again.peer.code)
        self.assertEqual(node.registry.replaced(1002, "phone", last), 0)
        self.assertTrue(logins[2].numbered(0))
        self.assertEqual(node.registry.replaced(1001, "phone", last), 0)
        self.assertIsNone(again.peer.code)
        logins[2].numbered(last)
        self.assertEqual(node.registry.replaced(1001, "phone", last), 0)
        self.assertEqual(again.peer.code, Close.REPLACED)
        self.assertIsNone(laptop.peer.code)

    def test_cap(self) -> None:
        """
        One device too many is refused and may retry; the others stay.
        """
        node = FakeNode(connections_per_user=2)
        first, second = node.log_in(1001, "a"), node.log_in(1001, "b")
        third = node.client()
        third.say(Hello("token-1001", "c"))
        (error,) = third.heard()
        assert isinstance(error, frames.Error)
        self.assertEqual(error.code, "overloaded")
        self.assertEqual(third.peer.code, Close.RATE_LIMITED)
        self.assertEqual([first.peer.code, second.peer.code], [None, None])
        third.hang_up()
        node.log_in(1001, "b")
        self.assertEqual(second.peer.code, Close.REPLACED)

    def test_count(self) -> None:
        """
        A connection counts until it is lost, whether it was closed before or not.
        """
        node = FakeNode()
        client, stranger = node.log_in(1001), node.client()
        self.assertEqual(node.registry.count, 2)
        client.session.close(Close.BUG, "")
        self.assertEqual(node.registry.count, 2)
        client.hang_up()
        stranger.hang_up()
        self.assertEqual(node.registry.count, 0)

    def test_live_limits(self) -> None:
        """
        A changed limit applies to the next login.
        """
        node = FakeNode(connections_per_user=1)
        node.log_in(1001, "a")
        limits = node.settings.limits.model_copy(update={"connections_per_user": 2})
        node.registry.apply_settings(
            node.settings.model_copy(update={"limits": limits})
        )
        node.log_in(1001, "b")
        self.assertEqual(len(node.registry.sessions_of(1001)), 2)


class PushTests(SynchronousTestCase):
    """
    Pushes to many sessions at once.
    """

    def test_targets(self) -> None:
        """
        A message goes to all devices of its targets, and to nobody else.
        """
        node = FakeNode()
        clients = [
            node.log_in(1001, "phone"),
            node.log_in(1001, "laptop"),
            node.log_in(1002),
            node.log_in(1003),
        ]
        node.registry.push(message(1002, 1001, 1), [1001, 1002, 9])
        self.assertEqual([len(c.heard()) for c in clients], [1, 1, 1, 0])
        self.assertEqual(node.registry.counters.absent, 1)
        self.assertEqual(node.registry.counters.pushed, 3)

    def test_client_id(self) -> None:
        """
        Only the sender's own devices see the client id of a message.
        """
        node = FakeNode()
        sender, other = node.log_in(1002), node.log_in(1001)
        node.registry.push(message(1002, 1001, 1, client_id="mine"), [1001, 1002])
        self.assertEqual(_client_ids(sender), ["mine"])
        self.assertEqual(_client_ids(other), [""])

    def test_pace(self) -> None:
        """
        The recipients of a message to many are asked to acknowledge at a pace that goes
        with their number; few recipients, and those of one message, are not.
        """
        node = FakeNode()
        client, other = node.log_in(1001), node.log_in(1002, codec=codec_json.CODEC)
        for recipients in (2, 50, 51, 2_000, 30_000):
            targets = range(1001, 1001 + recipients)
            node.registry.push(message(99, 1001, recipients), targets)
        written = list(other.peer.written)
        self.assertNotIn(b"ack_ms", written[0])
        self.assertIn(b'"ack_ms":51', written[2])
        paces = [(0, 0), (0, 0), (51, 51), (2_000, 2_000), (10_000, 10_000)]
        asked = [
            (one.ack_ms, same.ack_ms)
            for one, same in zip(client.heard(), other.heard(), strict=True)
            if isinstance(one, frames.Deliver) and isinstance(same, frames.Deliver)
        ]
        self.assertEqual(asked, paces)

    def test_shared_bytes(self) -> None:
        """
        All recipients with one codec share one bytes object.
        """
        node = FakeNode()
        codecs = [codec_json.CODEC, codec_protobuf.CODEC] * 3
        clients = [node.log_in(i + 1, codec=c) for i, c in enumerate(codecs)]
        node.registry.push(message(99, 1, 1), [1, 2, 3, 4, 5, 6])
        self.assertEqual(len({id(c.peer.written[0]) for c in clients}), 2)

    def test_alone(self) -> None:
        """
        A user with exactly one session is alone.
        """
        node = FakeNode()
        self.assertFalse(node.registry.is_alone(1001))
        node.log_in(1001, device="phone")
        self.assertTrue(node.registry.is_alone(1001))
        node.log_in(1001, device="laptop")
        self.assertFalse(node.registry.is_alone(1001))

    def test_receipt(self) -> None:
        """
        A receipt says how far another user has read.
        """
        node = FakeNode()
        client = node.log_in(1001)
        cursor = model.Cursor("u:7:1001", 7, delivered=4, read=3)
        node.registry.receipt(cursor, [1001, 1002])
        self.assertEqual(client.heard(), [frames.Receipt("u:7:1001", 7, 3, 4)])

    def test_typing(self) -> None:
        """
        Typing names the user and the conversation.
        """
        node = FakeNode()
        client = node.log_in(1001)
        node.registry.typing("u:7:1001", 7, [1001])
        self.assertEqual(client.heard(), [frames.Typing("u:7:1001", 7)])

    def test_broken_session(self) -> None:
        """
        A bug that meets one session does not affect the others.
        """
        node = FakeNode()
        broken, sound = node.log_in(1001), node.log_in(1002)
        write = broken.peer.write_encoded
        broken.peer.write_encoded = None  # type: ignore[assignment,method-assign]
        node.registry.push(message(7, 1002, 1), [1001, 1002])
        broken.peer.write_encoded = write  # type: ignore[method-assign]
        self.assertEqual(broken.peer.code, Close.BUG)
        self.assertEqual(len(sound.heard()), 1)
        self.assertEqual(len(self.flushLoggedErrors(TypeError)), 1)

    def test_framing(self) -> None:
        """
        A message of any length has the header that RFC 6455 demands.
        """
        for size, header in (
            (0, "8100"),
            (125, "817d"),
            (126, "817e007e"),
            (65535, "817effff"),
            (65536, "817f0000000000010000"),
        ):
            data = framed(codec_json.CODEC, b"x" * size)
            self.assertEqual(data[: len(header) // 2].hex(), header)
            self.assertEqual(unframed(data), b"x" * size)
        self.assertEqual(framed(codec_protobuf.CODEC, b"").hex(), "8200")

    def test_seen_bounded(self) -> None:
        """
        A session forgets the conversations that were silent the longest.
        """
        seen = DeliveredSeqs()
        seen.note("first", 5)
        for i in range(SEEN - 1):
            seen.note(str(i), 1)
        seen.note("first", 6)
        seen.note("last", 1)
        self.assertEqual(len(seen), SEEN)
        self.assertTrue(seen.has("first", 6))
        self.assertFalse(seen.has("0", 1))


def _client_ids(client: Client) -> list[str]:
    return [f.client_id for f in client.heard() if isinstance(f, Deliver)]


class WatchTests(SynchronousTestCase):
    """
    Presence of other users.
    """

    def setUp(self) -> None:
        self.node = FakeNode(watch=3)
        self.client = self.node.log_in(1001)

    def changed(self, user: int, online: bool) -> None:
        """
        Have Message report a change of presence.
        """
        self.node.registry.presence(model.UserPresence(user, online, 9))

    def test_now_and_then(self) -> None:
        """
        A watcher is told the presence now, and each change.
        """
        self.client.say(Watch((7, 8, 7)))
        self.assertEqual(self.node.upstream.named("watch"), [([7, 8],)])
        self.assertEqual(list(self.node.registry.watched()), [7, 8])
        # Reads say of those who are there that they were seen right now.
        present = [model.UserPresence(7, True, 6), model.UserPresence(8, False, 5)]
        self.node.upstream.asked[0].callback(present)
        self.assertEqual(
            self.client.heard(),
            [frames.Presence(7, True), frames.Presence(8, False, 5)],
        )
        self.changed(7, False)
        self.changed(9, True)
        self.assertEqual(self.client.heard(), [frames.Presence(7, False, 9)])

    def test_change_beats_answer(self) -> None:
        """
        A change that arrives before the answer of the query wins over it.
        """
        self.client.say(Watch((7,)))
        self.changed(7, False)
        self.node.upstream.asked[0].callback([model.UserPresence(7, True)])
        self.assertEqual(self.client.heard(), [frames.Presence(7, False, 9)])

    def test_replaces(self) -> None:
        """
        A watch replaces the one before; only the differences are sent upstream.
        """
        self.client.say(Watch((7, 8)), Watch((8, 9)), Watch(()))
        self.assertEqual(self.node.upstream.named("watch"), [([7, 8],), ([9],)])
        self.assertEqual(self.node.upstream.named("unwatch"), [([7],), ([8, 9],)])
        self.changed(8, True)
        self.assertEqual(self.client.heard(), [])

    def test_two_watchers(self) -> None:
        """
        A user is watched until the last watcher has gone.
        """
        other = self.node.log_in(1002)
        self.client.say(Watch((7,)))
        other.say(Watch((7,)))
        self.client.hang_up()
        self.assertEqual(list(self.node.registry.watched()), [7])
        other.hang_up()
        self.assertEqual(list(self.node.registry.watched()), [])
        self.assertEqual(self.node.upstream.named("watch"), [([7],)])
        self.assertEqual(self.node.upstream.named("unwatch"), [([7],)])

    def test_too_many(self) -> None:
        """
        More users than the limit are refused, and the watch before stays.
        """
        self.client.say(Watch((7,)), Watch((1, 2, 3, 4)))
        (error,) = self.client.heard()
        assert isinstance(error, frames.Error)
        self.assertEqual(error.code, "bad_request")
        self.assertEqual(list(self.node.registry.watched()), [7])

    def test_too_many_of_all(self) -> None:
        """
        A watch that would have the sessions of this node watch more users together than
        Message allows is refused, and the one before stays; a watch of users whom
        others watch is not.
        """
        self.patch(self.node.registry, "watchers", Watchers(limit=4))
        other = self.node.log_in(1002)
        self.client.say(Watch((7, 8)))
        other.say(Watch((7, 9, 10)), Watch((11, 12)))
        (error,) = other.heard()
        assert isinstance(error, frames.Error)
        self.assertEqual(error.code, "overloaded")
        self.assertEqual(list(self.node.registry.watched()), [7, 8, 9, 10])
        self.client.say(Watch((8, 9, 10)))
        self.assertEqual(self.client.heard(), [])
        self.assertEqual(self.node.upstream.named("watch"), [([7, 8],), ([9, 10],)])

    def test_unavailable(self) -> None:
        """
        While Message is away, a watcher is told at least who is online on this node.
        """
        self.node.log_in(7)
        self.client.say(Watch((7, 8)))
        self.node.upstream.asked[0].errback(Unavailable("away"))
        self.assertEqual(self.client.heard(), [frames.Presence(7, True)])
