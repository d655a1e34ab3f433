"""
Presence for legacy clients.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import fail, succeed
from twisted.trial.unittest import SynchronousTestCase

from tests.connect.legacy.clients.legacy_node import LegacyNode, text
from tests.connect.legacy.clients.legacy_store import NOW_MS
from wsmsg.connect.session.watchers import Watchers
from wsmsg.connect.upstream.interface import HeadsView
from wsmsg.errors import Unavailable
from wsmsg.legacy.extra import TEXT
from wsmsg.model import ConversationHead, UserPresence
from wsmsg.settings.legacy import ConnectLegacySettings


def present(
    node: LegacyNode, *heads: ConversationHead, online: tuple[int, ...] = ()
) -> None:
    """
    Set the conversations of a user who connects, and who is online.
    """
    up: Any = node.upstream
    view = HeadsView(heads, False, "1", "e1")
    up.heads = lambda *_, **__: succeed(view)
    up.presence = lambda users, asker=0: succeed(
        [UserPresence(u, u in online) for u in users]
    )


class PresenceTests(SynchronousTestCase):
    """
    Presence for legacy clients.
    """

    def test_partners(self) -> None:
        """
        A client that connects is told which of its partners are online, then each
        change once.
        """
        node = LegacyNode(legacy={"presence": True})
        heads = (
            ConversationHead("u:7:8", 3, NOW_MS),
            ConversationHead("u:8:9", 1, NOW_MS),
            ConversationHead("g:4", 1, NOW_MS),
        )
        present(node, *heads, online=(9,))
        client = node.connect(8)
        self.assertEqual(node.upstream.named("watch"), [([7, 9],)])
        self.assertEqual(client.presence(), [(9, "online")])
        node.registry.presence(UserPresence(9, True))
        node.registry.presence(UserPresence(7, True))
        node.registry.presence(UserPresence(9, False))
        node.registry.presence(UserPresence(9, False))
        self.assertEqual(client.presence(), [(7, "online"), (9, "offline")])

    def test_no_room(self) -> None:
        """
        A client whose partners are more than this node may watch is told nothing.
        """
        node = LegacyNode(legacy={"presence": True})
        self.patch(node.registry, "watchers", Watchers(limit=1))
        present_too = ConversationHead("u:8:9", 1, NOW_MS)
        present(node, ConversationHead("u:7:8", 3, NOW_MS), present_too, online=(9,))
        client = node.connect(8)
        self.assertEqual(node.upstream.named("watch"), [])
        self.assertEqual(client.presence(), [])

    def test_off(self) -> None:
        """
        By default a client gets no messages about presence, which the client of the
        legacy system shows as lines of the chat, and nobody is watched for it; a
        change of the setting concerns open connections too.
        """
        node = LegacyNode()
        present(node, ConversationHead("u:7:8", 3, 0), online=(7,))
        client = node.connect(8)
        node.push(text(4, 9, 8), to=8)
        node.registry.presence(UserPresence(7, True))
        self.assertEqual([m.message_type for m in client.heard()], [TEXT])
        self.assertEqual(node.upstream.named("watch"), [])
        legacy = ConnectLegacySettings(presence=True)
        changed = node.settings.model_copy(update={"legacy": legacy})
        node.registry.apply_settings(changed)
        node.push(text(5, 9, 8), to=8)
        self.assertEqual(node.upstream.named("watch"), [([9],)])

    def test_fields(self) -> None:
        """
        A presence message is from the user who joined to the client's user, with the
        time.
        """
        node = LegacyNode(legacy={"presence": True})
        present(node, ConversationHead("u:7:8", 3, NOW_MS), online=(7,))
        (said,) = node.connect(8).heard()
        self.assertEqual((getattr(said, "from"), said.to, said.group_id), (7, 8, 0))
        self.assertEqual(said.timestamp, int(node.clock.seconds()))

    def test_acknowledged(self) -> None:
        """
        Each presence message has an id of its own, and its acknowledgement marks
        nothing.
        """
        node = LegacyNode(legacy={"presence": True})
        present(
            node,
            ConversationHead("u:7:8", 3, NOW_MS),
            ConversationHead("u:8:9", 3, NOW_MS),
            online=(7, 9),
        )
        client = node.connect(8)
        one, two = (said.message_id for said in client.heard())
        self.assertTrue(0 < one < two)
        client.acknowledge(one)
        self.assertEqual(len(node.legacy.marks), 0)
        client.acknowledge(one)
        self.assertEqual(len(node.legacy.marks), 1)

    def test_new_partner(self) -> None:
        """
        A user with whom a new conversation begins is watched too.
        """
        node = LegacyNode(legacy={"presence": True})
        present(node)
        client = node.connect(8)
        node.push(text(1), to=8)
        client.say(9, "hello")
        self.assertEqual(node.upstream.named("watch"), [([7],), ([9],)])
        client.drop()
        self.assertEqual(node.upstream.named("unwatch"), [([7, 9],)])

    def test_bounded(self) -> None:
        """
        No more users are watched than the settings allow; the most recent partners come
        first.
        """
        node = LegacyNode(legacy={"presence": True}, watch=2)
        present(
            node, *(ConversationHead(f"u:8:{n}", 1, NOW_MS + n) for n in (21, 22, 23))
        )
        client = node.connect(8)
        client.say(30, "hello")
        self.assertEqual(node.upstream.named("watch"), [([22, 23],)])

    def test_unknown(self) -> None:
        """
        If the conversations cannot be read at first, they are read later.
        """
        node = LegacyNode(legacy={"presence": True})
        up: Any = node.upstream
        up.heads = lambda *_, **__: fail(Unavailable("not now"))
        client = node.connect(8)
        present(node, ConversationHead("u:7:8", 3, NOW_MS), online=(7,))
        client.session.resync("a Message is there")
        self.assertEqual(client.presence(), [(7, "online")])
