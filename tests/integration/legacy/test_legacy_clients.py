"""
Tests of legacy clients at daemons of wsmsg.
"""

from __future__ import annotations

import time
from collections.abc import Mapping

import jwt

from tests.conformance.contract import DEBUG_TOKEN, ONLINE, TEXT, WSMessage, sender_of
from tests.conformance.peer_client import ScriptedClient
from tests.conformance.plain_http import ask
from tests.conformance.websocket import PING, Frame, Refused
from tests.conformance.websocket import TEXT as TEXT_FRAME
from tests.integration.cases import with_daemons
from tests.integration.device import Device
from tests.integration.installation import http_post
from tests.integration.legacy.cases import LEGACY_SECRET, LegacyTestCase

_PATH = "/api/v1/connect/ws"


class HandshakeTests(LegacyTestCase):
    """
    Handshakes of legacy clients, accepted and refused.
    """

    async def refused(self, headers: Mapping[str, str], status: int) -> str:
        """
        Return the reason why a client with these headers is refused.
        """
        with self.assertRaises(Refused) as caught:
            await self.stranger(1001).login(headers)
        answer = caught.exception.answer
        self.assertEqual(answer.status, status)
        return str(answer.document["error"])

    @with_daemons
    async def test_tokens(self) -> None:
        """
        A bare token, a token after Bearer, the debug token and a token of the legacy
        user service are accepted.
        """
        friend = await self.client()
        user = self.user()
        token = self.installation.token(user)
        claims = {"user_id": user, "exp": int(time.time()) + 600}
        theirs = jwt.encode(claims, LEGACY_SECRET)
        for given in (token, f"Bearer {token}", DEBUG_TOKEN, theirs):
            client = await self.client(user, token=given)
            await client.send_text(friend.user, given)
            await friend.expect(given)

    @with_daemons
    async def test_refused(self) -> None:
        """
        A handshake without a valid token gets 401 with a reason; one without a user
        gets 400.
        """
        other = self.installation.token(1002)
        user = {"User-ID": "1001"}
        for headers, status, word in (
            (user, 401, "Authorization"),
            ({**user, "Authorization": "nonsense"}, 401, "token"),
            ({**user, "Authorization": other}, 401, "another user"),
            ({"Authorization": other}, 400, "User-ID"),
            ({"Authorization": DEBUG_TOKEN}, 400, "User-ID"),
            ({"Authorization": DEBUG_TOKEN, "User-ID": "-5"}, 400, "User-ID"),
            ({"Authorization": DEBUG_TOKEN, "User-ID": "0"}, 400, "User-ID"),
            ({"Authorization": DEBUG_TOKEN, "User-ID": "9" * 19}, 400, "User-ID"),
            ({"Authorization": DEBUG_TOKEN, "User-ID": "bob"}, 400, "User-ID"),
        ):
            self.assertIn(word, await self.refused(headers, status))

    @with_daemons
    async def test_plain(self) -> None:
        """
        A plain GET gets 400.
        """
        port = self.installation.connect.port("listen")
        answer = await ask(port, "GET", _PATH)
        self.assertEqual(answer.status, 400)
        self.assertIn("error", answer.document)


class LegacyTests(LegacyTestCase):
    """
    Legacy clients with daemons that stay up.
    """

    @with_daemons
    async def test_two_talk(self) -> None:
        """
        A message reaches the other client with an id and all other fields as its sender
        wrote them; the sender gets no copy.
        """
        one, two = await self.client(), await self.client()
        sent = await one.send_text(two.user, "hello from one")
        received = await two.expect("hello from one")
        self.assertGreater(received.message_id, 0)
        sent.message_id = received.message_id
        self.assertEqual(received.SerializeToString(), sent.SerializeToString())
        await two.send_text(one.user, "and back")
        await one.expect("and back")
        self.assertEqual(one.texts(), ["and back"])

    @with_daemons
    async def test_odd_frames(self) -> None:
        """
        A text frame is accepted, a frame that is not a message is skipped, a ping gets
        its payload back, and a client cannot send as another user.
        """
        one, two = await self.client(), await self.client()
        sent = WSMessage(to=two.user, content="as text", message_type=TEXT)
        sent.timestamp = 1795447835
        await one.write(sent.SerializeToString(), TEXT_FRAME)
        await one.write(b"\xff\xff\xff")
        await one.write(b"")
        one.socket.write(Frame(PING, b"heartbeat"))
        await one.socket.pongs.find(lambda pong: pong == b"heartbeat")
        await one.send_text(two.user, "as another", sender=two.user)
        self.assertEqual(sender_of(await two.expect("as another")), one.user)
        self.assertEqual(two.texts(one.user), ["as text", "as another"])

    @with_daemons
    async def test_two_logins(self) -> None:
        """
        Two logins of a user stay connected side by side, and both receive every
        message.
        """
        friend = await self.client()
        logins = [await self.client()]
        logins.append(await self.client(logins[0].user))
        for n in range(20):
            await friend.send_text(logins[0].user, str(n))
        for login in logins:
            await self.expect_exactly(login, [str(n) for n in range(20)])

    @with_daemons
    async def test_presence(self) -> None:
        """
        A client is notified when a user it has talked with leaves and returns, with any
        kind of client; users of legacy clients count as online.
        """
        one, two = await self.client(), await self.client()
        await one.send_text(two.user, "hello")
        await two.expect("hello")

        async def told(client: ScriptedClient, other: int, what: str) -> None:
            wanted = (ONLINE, other, client.user, what)
            await client.received.find(
                lambda m: (m.message_type, sender_of(m), m.to, m.content) == wanted,
                f"{other} is {what}",
            )

        await told(one, two.user, "online")
        await told(two, one.user, "online")
        status = "/api/v1/connect/online_status"
        port = self.installation.connect.port("listen")
        _, document = await http_post(port, status, {"user_ids": [one.user, two.user]})
        self.assertEqual(set(document["status"].values()), {True})
        await two.drop()
        await told(one, two.user, "offline")
        received = len(one.received)
        await self.device(two.user)
        await one.received.find(lambda m: m.content == "online", "back", since=received)

    @with_daemons
    async def test_group(self) -> None:
        """
        A group message reaches all members but the sender, with any kind of client; a
        message from a non-member reaches nobody.
        """
        one, two, stranger = [await self.client() for _ in range(3)]
        third = await self.device(self.user())
        port = self.installation.message.port("listen")
        wanted = {
            "client_id": f"group-{one.user}",
            "owner": one.user,
            "name": "crew",
            "members": [two.user, third.user],
        }
        status, made = await http_post(port, "/api/v1/groups", wanted)
        self.assertEqual(status, 201, made)
        group = int(made["group"])
        await one.send_text(0, "hello all", group=group)
        received = await two.expect("hello all")
        self.assertEqual((received.group_id, received.to), (group, 0))
        await third.expect("deliver", content="hello all")
        await stranger.send_text(0, "let me in", group=group)
        await two.send_text(0, "hello one", group=group)
        await one.expect("hello one")
        self.assertEqual((one.texts(), two.texts()), (["hello one"], ["hello all"]))
        self.assertEqual(stranger.texts(), [])

    @with_daemons
    async def test_no_type(self) -> None:
        """
        A message without a type is a text, and arrives without one, as in the legacy
        system.
        """
        one, two = await self.client(), await self.client()
        await one.write(WSMessage(to=two.user, content="no type").SerializeToString())
        self.assertEqual((await two.expect("no type")).message_type, 0)

    @with_daemons
    async def test_bad_sends(self) -> None:
        """
        Invalid sends are skipped; the connection and other clients continue.
        """
        one, two = await self.client(), await self.client()
        for fields in (
            {"to": 0},
            {"to": -1},
            {"to": -(2**63)},
            {"group_id": 5},
            {"group_id": -5},
            {"message_type": 77},
            {"message_type": 10},
            {"content": "x" * 20_000},
            {"content": "nul \0"},
            {"to": 0, "group_id": 2**63 - 1},
        ):
            bad = {"to": two.user, "content": "bad", "message_type": TEXT, **fields}
            await one.write(WSMessage(**bad).SerializeToString())
        await one.acknowledge(WSMessage(message_id=2**63 - 1))
        await one.acknowledge(WSMessage(message_id=-1))
        await one.send_text(two.user, "good")
        await two.expect("good")
        self.assertEqual(two.texts(), ["good"])
        await one.send_text(one.user, "to myself")
        await one.expect("to myself")

    @with_daemons
    async def test_every_pairing(self) -> None:
        """
        Clients of every kind and codec receive each other's messages, and so do two of
        one user.
        """
        one, two = self.user(), self.user()
        clients: list[ScriptedClient | Device] = []
        for user in (one, two):
            clients.append(await self.client(user))
            clients.append(await self.device(user, "phone"))
            clients.append(await self.device(user, "browser", json_=True))
        for n, sender in enumerate(clients):
            to = two if sender.user == one else one
            text = f"from {n}"
            if isinstance(sender, Device):
                await sender.send(to, f"id-{n}", text)
            else:
                await sender.send_text(to, text)
            for client in clients:
                if isinstance(client, Device):
                    await client.expect("deliver", content=text)
                elif client.user == to:
                    await client.expect(text)
        for client in clients:
            if isinstance(client, ScriptedClient):
                wanted = [
                    f"from {n}"
                    for n in ((3, 4, 5) if client.user == one else (0, 1, 2))
                ]
                self.assertEqual(client.texts(), wanted)
