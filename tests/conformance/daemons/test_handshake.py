"""
Tests of the WebSocket handshake and frames between our Connect and the legacy test
client.
"""

from __future__ import annotations

from tests.conformance.contract import (
    TEXT,
    WEBSOCKET_PATH,
    ws_message,
)
from tests.conformance.daemons.cases import LegacyPeersTestCase
from tests.conformance.plain_http import ask
from tests.conformance.sequences import ACCEPTED, REFUSED
from tests.conformance.websocket import (
    BINARY,
    CONTINUATION,
    LOST,
    PING,
    Frame,
    Refused,
)
from tests.conformance.websocket import TEXT as TEXT_FRAME
from tests.integration.cases import with_daemons


class HandshakeTests(LegacyPeersTestCase):
    """
    C{GET /api/v1/connect/ws}.
    """

    @with_daemons
    async def test_ws_request(self) -> None:
        """
        A token and a user get 101, with no subprotocol and no extension; the debug
        token is accepted if the settings have it.
        """
        client = await self.connected()
        await client.send_text(client.user + 1, "first")
        await client.drop()
        self.assertEqual(list(client.ends), [LOST])

    @with_daemons
    async def test_ws_authorization(self) -> None:
        """
        A bare JWT and one after C{Bearer} are both accepted.
        """
        user = self.user()
        for before in ("", "Bearer "):
            client = self.client(user, token=before + self.installation.token(user))
            await client.login()
            await client.send_text(user, "to myself")
            await client.drop()

    @with_daemons
    async def test_ws_without_token(self) -> None:
        """
        No token, or a bad one, gets 401 with a JSON document that has an C{error}.
        """
        client = self.client()
        user = {"User-ID": str(client.user)}
        for headers in (user, {**user, "Authorization": "auth-other"}):
            with self.assertRaises(Refused) as caught:
                await client.login(headers)
            answer = caught.exception.answer
            self.assertEqual(answer.status, 401)
            self.assertIn("error", answer.document)

    @with_daemons
    async def test_ws_token_of_another(self) -> None:
        """
        A token of one user does not authenticate another.
        """
        user, other = self.user(), self.user()
        client = self.client(user, token=self.installation.token(other))
        with self.assertRaises(Refused) as caught:
            await client.login()
        self.assertIn(caught.exception.answer.status, (401, 403))

    @with_daemons
    async def test_ws_plain_get(self) -> None:
        """
        A GET that is not a WebSocket handshake gets 400.
        """
        client = self.client()
        answer = await ask(client.port, "GET", WEBSOCKET_PATH, headers=client.headers())
        self.assertEqual(answer.status, 400)

    @with_daemons
    async def test_ws_user_id(self) -> None:
        """
        A missing or invalid C{User-ID} is refused, or closed right after the 101.
        """
        for bad in (None, "", "me", "0", "-5", "1.5", "9223372036854775808"):
            client = self.client()
            headers = client.headers()
            del headers["User-ID"]
            if bad is not None:
                headers["User-ID"] = bad
            try:
                await client.login(headers)
            except Refused as e:
                self.assertIn(e.answer.status, (400, 401, 403), bad)
            else:
                await client.ends.count(1)


class FrameTests(LegacyPeersTestCase):
    """
    The WebSocket frames that carry messages.
    """

    @with_daemons
    async def test_ws_ping(self) -> None:
        """
        A ping of the client gets a pong with the same payload.
        """
        client = await self.connected()
        client.socket.write(Frame(PING, b"heartbeat"))
        self.assertEqual(await client.socket.pongs.count(1), [b"heartbeat"])

    @with_daemons
    async def test_ws_text_frame(self) -> None:
        """
        A text frame with the same bytes is accepted like a binary one.
        """
        one, other = await self.connected(), await self.connected()
        for opcode in (TEXT_FRAME, BINARY):
            content = f"in a frame of {opcode}"
            message = ws_message(to=other.user, content=content, message_type=TEXT)
            await one.write(message.SerializeToString(), opcode)
            await other.expect(content)

    @with_daemons
    async def test_ws_in_parts(self) -> None:
        """
        A message in several fragments is one message.
        """
        one, other = await self.connected(), await self.connected()
        data = ws_message(
            sender=one.user, to=other.user, content="in parts", message_type=TEXT
        ).SerializeToString()
        one.socket.write(Frame(BINARY, data[:3], final=False))
        one.socket.write(Frame(CONTINUATION, data[3:5], final=False))
        one.socket.write(Frame(PING, b"between"))
        one.socket.write(Frame(CONTINUATION, data[5:]))
        await other.expect("in parts")

    @with_daemons
    async def test_ws_no_message(self) -> None:
        """
        A payload that is not a C{WSMessage} is skipped, and the connection continues.
        """
        one, other = await self.connected(), await self.connected()
        for sequence in REFUSED:
            if sequence.kind == "WSMessage":
                await one.write(sequence.data)
        await one.send_text(other.user, "still here")
        await other.expect("still here")
        self.assertEqual((other.texts(), list(one.ends)), (["still here"], []))

    @with_daemons
    async def test_ws_sequences(self) -> None:
        """
        With each field absent, zero, negative and huge, no connection ends, and no
        client receives a message of another user.
        """
        one, other = await self.connected(), await self.connected()
        for sequence in ACCEPTED:
            if sequence.kind == "WSMessage":
                await one.write(sequence.data)
        await one.send_text(other.user, "still here")
        await other.expect("still here")
        self.assertEqual((other.texts(), list(one.ends)), (["still here"], []))
