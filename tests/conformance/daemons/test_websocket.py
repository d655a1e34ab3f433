"""
Tests of the WebSocket contract between our Connect and the legacy test client, row by
row: messages.
"""

from __future__ import annotations

from typing import Any

from tests.conformance.contract import (
    ACKNOWLEDGEMENT,
    CONNECTION,
    HEARTBEAT,
    ONLINE,
    TEXT,
    fields_of,
    sender_of,
    strange,
    ws_message,
)
from tests.conformance.daemons.cases import LegacyPeersTestCase
from tests.integration.cases import eventually, with_daemons


def _texts(client: Any) -> list[Any]:
    return [m for m in client.received if m.message_type == TEXT]


class MessageTests(LegacyPeersTestCase):
    """
    Messages between two legacy test clients through our daemons.
    """

    @with_daemons
    async def test_ws_type_1_text(self) -> None:
        """
        The other client receives the message with its fields unchanged and an id, and
        no field that the contract does not have.
        """
        one, other = await self.connected(), await self.connected()
        sent = await one.send_text(other.user, "hello from one")
        received = await other.expect("hello from one")
        self.assertGreater(received.message_id, 0)
        self.assertLess(abs(received.timestamp - sent.timestamp), 60)
        fields = fields_of(received)
        fields.pop("message_id")
        self.assertEqual(
            fields.pop("timestamp") and fields,
            {
                "from": one.user,
                "to": other.user,
                "content": "hello from one",
                "message_type": TEXT,
            },
        )
        self.assertEqual(strange(received), [])

    @with_daemons
    async def test_ws_type_1_sender_hears_nothing(self) -> None:
        """
        The sender does not receive its own message.
        """
        one, other = await self.connected(), await self.connected()
        await one.send_text(other.user, "asked")
        await other.expect("asked")
        await other.send_text(one.user, "answered")
        await one.expect("answered")
        self.assertEqual(one.texts(), ["answered"])

    @with_daemons
    async def test_ws_type_1_order(self) -> None:
        """
        A hundred messages arrive in order, once each, with ids that are positive and
        rise.
        """
        one, other = await self.connected(), await self.connected()
        for n in range(100):
            await one.send_text(other.user, f"{n}")
        await other.expect("99")
        self.assertEqual(other.texts(), [f"{n}" for n in range(100)])
        ids = [m.message_id for m in _texts(other)]
        self.assertEqual(ids, sorted(set(ids)))
        self.assertGreater(ids[0], 0)

    @with_daemons
    async def test_ws_type_1_id_of_sender(self) -> None:
        """
        An id or an C{ack_id} that the sender made up does not identify a message: the
        same content sent twice is received twice.
        """
        one, other = await self.connected(), await self.connected()
        for n in (1, 2):
            await one.send_text(other.user, "twice", message_id=7, ack_id="k")
            await other.received.count(n)
        # The sender's presence is a message of its own.
        await eventually("both are there", lambda: len(_texts(other)) == 2)
        ids = {m.message_id for m in _texts(other)}
        self.assertEqual(len(ids), 2)

    @with_daemons
    async def test_ws_from(self) -> None:
        """
        No client can send as another user: C{from} is the user of the connection, or
        the message is refused.
        """
        one, other, third = [await self.connected() for _ in range(3)]
        await one.send_text(other.user, "from a third", sender=third.user)
        await one.send_text(other.user, "from me")
        await other.expect("from me")
        self.assertEqual({sender_of(m) for m in other.received}, {one.user})

    @with_daemons
    async def test_ws_content(self) -> None:
        """
        Texts in other scripts, of two lines and of many bytes arrive unchanged.
        """
        one, other = await self.connected(), await self.connected()
        for content in ("é中😀", "two\nlines", "x" * 10_000):
            await one.send_text(other.user, content)
            await other.expect(content)

    @with_daemons
    async def test_ws_group(self) -> None:
        """
        A message to a group reaches its members but the sender, with C{group_id}.
        """
        one, other, stranger = [await self.connected() for _ in range(3)]
        made = await self.ask(
            "/api/v1/groups",
            {"client_id": "g", "owner": one.user, "name": "n", "members": [other.user]},
        )
        group = int(made.document["group"])
        await one.send_text(0, "all of you", group=group)
        received = await other.expect("all of you")
        self.assertEqual((received.group_id, sender_of(received)), (group, one.user))
        await stranger.send_text(0, "me too", group=group)
        await other.send_text(one.user, "heard")
        await one.expect("heard")
        self.assertEqual(one.texts(), ["heard"])
        self.assertEqual((stranger.texts(), other.texts()), ([], ["all of you"]))

    @with_daemons
    async def test_ws_type_2_heartbeat(self) -> None:
        """
        A heartbeat is accepted, and no other client receives it.
        """
        await self._not_received(HEARTBEAT)

    @with_daemons
    async def test_ws_type_3_connection(self) -> None:
        """
        Connection management is accepted, and no other client receives it.
        """
        await self._not_received(CONNECTION)

    async def _not_received(self, kind: int) -> None:
        one, other = await self.connected(), await self.connected()
        await one.send_text(other.user, "not for people", message_type=kind)
        await one.send_text(other.user, "text")
        await other.expect("text")
        self.assertEqual([m.content for m in _texts(other)], ["text"])
        self.assertTrue(one.connected)

    @with_daemons
    async def test_ws_type_4_acknowledgement(self) -> None:
        """
        An acknowledged message is read; a message without an acknowledgement stays
        unread.
        """
        one = await self.connected()
        other = await self.connected(acknowledges=False)
        await one.send_text(other.user, "one")
        await one.send_text(other.user, "two")
        await other.expect("two")
        self.assertEqual(await self._unread(other, 2), ["one", "two"])
        await other.acknowledge(await other.expect("one"))
        self.assertEqual(await self._unread(other, 1), ["two"])

    async def _unread(self, client: Any, count: int) -> list[str]:
        found: list[Any] = []

        async def there() -> bool:
            found[:] = await client.unread()
            return len(found) == count

        await eventually(f"{count} unread", there)
        return [m["content"] for m in found]

    @with_daemons
    async def test_ws_type_4_of_others(self) -> None:
        """
        An acknowledgement of a message to another user, or of an unknown one, changes
        nothing and ends no connection.
        """
        one, third = await self.connected(), await self.connected()
        other = await self.connected(acknowledges=False)
        await one.send_text(other.user, "for one alone")
        received = await other.expect("for one alone")
        for message_id in (received.message_id, 12345, -1, 0, 2**63 - 1):
            fake = ws_message(message_id=message_id, timestamp=received.timestamp)
            await third.acknowledge(fake)
            await third.acknowledge(fake, sender=other.user)
        await third.send_text(other.user, "after")
        await other.expect("after")
        self.assertEqual(await self._unread(other, 2), ["for one alone", "after"])

    @with_daemons
    async def test_ws_type_4_answered_by_nothing(self) -> None:
        """
        An acknowledgement gets no answer, and no other client receives it.
        """
        one, other = await self.connected(), await self.connected()
        await one.send_text(other.user, "ping")
        await other.expect("ping")
        await other.send_text(one.user, "pong")
        await one.expect("pong")
        kinds = {m.message_type for m in [*one.received, *other.received]}
        self.assertNotIn(ACKNOWLEDGEMENT, kinds)
        self.assertEqual((one.texts(), other.texts()), (["pong"], ["ping"]))

    @with_daemons
    async def test_ws_type_10_online(self) -> None:
        """
        A client receives type 10 when a user it has talked with connects, disconnects
        and returns; the client acknowledges none of these.
        """
        one, other = await self.connected(), await self.connected()
        await one.send_text(other.user, "hello")
        await other.expect("hello")
        here = await self._change(other, "online", 0)
        await one.drop()
        left = await self._change(other, "offline", here.message_id)
        await one.login()
        came = await self._change(other, "online", left.message_id)
        for change in (here, left, came):
            self.assertEqual((sender_of(change), change.to), (one.user, other.user))
        self.assertEqual(len([s for s in other.said if s.way == ">"]), 1)
        self.assertNotIn(b"", [s.data for client in (one, other) for s in client.said])

    async def _change(self, client: Any, to: str, after: int) -> Any:
        """
        Return the change of online status that arrives after the one with this id.
        """

        def is_it(m: Any) -> bool:
            return (m.message_type, m.content) == (ONLINE, to) and m.message_id > after

        return await client.received.find(is_it, f"type 10, {to}")

    @with_daemons
    async def test_ws_type_of_nobody(self) -> None:
        """
        A type that the contract does not have ends no connection.
        """
        one, other = await self.connected(), await self.connected()
        for kind in (0, 5, 9, 11, -1, 2**31 - 1):
            await one.send_text(other.user, "of no type", message_type=kind)
        await one.send_text(other.user, "text")
        await other.expect("text")

    @with_daemons
    async def test_ws_away(self) -> None:
        """
        A client that returns gets nothing on the WebSocket; its messages stay unread
        until they are marked as read.
        """
        one, other = await self.connected(), self.client()
        await one.send_text(other.user, "are you there?")
        self.assertEqual(await self._unread(other, 1), ["are you there?"])
        await other.login()
        await one.send_text(other.user, "now?")
        await other.expect("now?")
        self.assertEqual(other.texts(), ["now?"])
        found = await other.unread()
        await other.mark_read(m["id"] for m in found)
        self.assertEqual(await self._unread(other, 0), [])

    @with_daemons
    async def test_ws_to_nobody(self) -> None:
        """
        A message without a recipient, or to an invalid one, ends no connection, and is
        not stored.
        """
        one, other = await self.connected(), await self.connected()
        for to in (0, -1, -(2**63)):
            await one.send_text(to, "to nobody")
        for group in (-1, 12345, 2**63 - 1):
            await one.send_text(0, "to no group", group=group)
        await one.send_text(other.user, "text")
        await other.expect("text")
        page = await one.history()
        self.assertEqual([m["content"] for m in page["messages"]], ["text"])


class RedeliveryTests(LegacyPeersTestCase):
    """
    With C{legacy.redeliver} on.
    """

    connect = {**LegacyPeersTestCase.connect, "legacy.redeliver": "true"}

    @with_daemons
    async def test_ws_redeliver(self) -> None:
        """
        Connect delivers all unacknowledged messages again when a client connects,
        oldest first, and no acknowledged one.
        """
        one = await self.connected()
        other = await self.connected(acknowledges=False)
        contents = [f"{n}" for n in range(120)]
        for content in contents:
            await one.send_text(other.user, content)
        await other.expect("119")
        await other.acknowledge(await other.expect("1"))

        async def acknowledged() -> bool:
            return len(await other.unread()) != len(contents)

        await eventually("one less", acknowledged)
        await other.drop()
        again = await self.connected(other.user, acknowledges=False)
        await again.expect("119")
        wanted = [c for c in contents if c != "1"]
        self.assertEqual(again.texts(), wanted)
        first = {m.message_id: m.content for m in _texts(other)}
        second = {m.message_id: m.content for m in _texts(again)}
        self.assertEqual(second, {k: v for k, v in first.items() if v != "1"})
