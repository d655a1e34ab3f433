"""
Tests of authentication and authorization of users.
"""

from __future__ import annotations

import base64
import json
import time
from typing import Any

import jwt
from websockets.exceptions import InvalidStatus

from tests.integration.cases import IntegrationTestCase, with_daemons
from tests.integration.device import Device
from wsmsg.errors import Close
from wsmsg.model import conversation_of
from wsmsg.protocol import client_pb2 as pb


def unsigned(user: int) -> str:
    """
    Return a token with the algorithm C{none}.
    """
    parts = ({"alg": "none", "typ": "JWT"}, {"sub": str(user), "exp": 2**33})
    dots = [
        base64.urlsafe_b64encode(json.dumps(p).encode()).rstrip(b"=") for p in parts
    ]
    return b".".join([*dots, b""]).decode()


class TrustTests(IntegrationTestCase):
    """
    P8, as attackers from outside meet it.
    """

    def bad_tokens(self, user: int) -> dict[str, str]:
        """
        Return tokens that must be refused, by their defect.
        """
        good = self.installation.token(user)
        head, body, signature = good.split(".")
        other_body = self.installation.token(user + 1).split(".")[1]
        now = int(time.time())
        claims = {"sub": str(user), "exp": now + 60}
        return {
            "expired": self.installation.token(user, exp=now - 60),
            "wrongly signed": jwt.encode(claims, "x" * 48, "HS256"),
            "forged": f"{head}.{other_body}.{signature}",
            "cut off": f"{head}.{body}.",
            "alg none": unsigned(user),
            "alg none, signed": unsigned(user) + signature,
            "no expiry": jwt.encode({"sub": str(user)}, "x" * 48, "HS256"),
            "not yet": self.installation.token(user, nbf=now + 600),
            "no token": "hello",
            "legacy debug token": "auth-debug",
        }

    async def refused(self, user: int, token: str | None, **more: Any) -> int:
        """
        Return the HTTP status of a refused handshake.

        @return: the HTTP status of a handshake that is refused.
        """
        with self.assertRaises(InvalidStatus) as caught:
            await self.dial(user, token=token, **more)
        refusal: InvalidStatus = caught.exception
        return refusal.response.status_code

    @with_daemons
    async def test_bad_tokens(self) -> None:
        """
        P8: a token that is forged, expired, wrongly signed or not signed at all is
        refused in the handshake with 401.
        """
        user = self.user()
        for what, token in self.bad_tokens(user).items():
            self.assertEqual(await self.refused(user, token), 401, what)

    @with_daemons
    async def test_bad_tokens_in_hello(self) -> None:
        """
        P8: the same tokens in C{hello} get C{error} and close code 4501.
        """
        user = self.user()
        url = self.installation.url
        for what, token in {**self.bad_tokens(user), "none": ""}.items():
            device = await self.anonymous(url)
            await device.send_frame(hello=pb.Hello(device="a", token=token))
            error = await device.expect("error")
            self.assertEqual(error.code, "unauthenticated", what)
            self.assertEqual(await device.closed(), Close.UNAUTHENTICATED, what)
            self.assertEqual(device.all("welcome"), [], what)

    async def anonymous(self, url: str) -> Device:
        """
        Return a connection without a token in its headers, as a browser makes it.
        """
        device = await Device.dial(url, None)
        self.at_end(device.close)
        return device

    @with_daemons
    async def test_good_token_in_hello(self) -> None:
        """
        A browser, which cannot set headers, is authenticated by the token in C{hello}.
        """
        user = self.user()
        device = await self.anonymous(self.installation.url)
        welcome = await device.greet(token=self.installation.token(user))
        self.assertEqual(welcome.user, user)

    @with_daemons
    async def test_another_user(self) -> None:
        """
        P8: a client whose headers name another user than its token is refused, and so
        is a C{hello} with a token of another user.
        """
        user, other = self.user(), self.user()
        headers = {"User-ID": str(other)}
        self.assertEqual(await self.refused(user, None, headers=headers), 401)
        device = await self.dial(user, headers={"User-ID": str(user)})
        await device.send_frame(
            hello=pb.Hello(device="a", token=self.installation.token(other))
        )
        self.assertEqual((await device.expect("error")).code, "unauthenticated")
        self.assertEqual(await device.closed(), Close.UNAUTHENTICATED)

    @with_daemons
    async def test_origin(self) -> None:
        """
        P8: a page of another site cannot connect as a browser's user: 403.
        """
        user = self.user()
        for origin in ("http://evil.example", "http://localhost.evil.example", "null"):
            status = await self.refused(user, None, headers={"Origin": origin})
            self.assertEqual(status, 403, origin)
        await self.dial(user, headers={"Origin": "http://localhost:8080"})

    @with_daemons
    async def test_others_conversations(self) -> None:
        """
        P8: a user can neither read, mark nor type in a conversation of others.
        """
        one, two = self.user(), self.user()
        name = conversation_of(one, two)
        sender = await self.device(one)
        await sender.send(two, "id-1", "secret")
        await sender.expect("deliver")
        stranger = await self.device(self.user())
        for frame in (
            {"sync": pb.Sync(id="s", conversation=name)},
            {"read": pb.Read(conversation=name, seq=1)},
            {"delivered": pb.Delivered(conversation=name, seq=1)},
            {"typing": pb.Typing(conversation=name)},
        ):
            await stranger.send_frame(**frame)
            error = await stranger.expect("error")
            self.assertEqual(error.code, "forbidden", frame)
            self.assertEqual(error.id, "s" if "sync" in frame else "")
        await stranger.pong()
        self.assertEqual(stranger.all("page") + stranger.all("heads"), [])
        await sender.pong()
        self.assertEqual(sender.all("receipt") + sender.all("typing"), [])

    @with_daemons
    async def test_from(self) -> None:
        """
        P8: the sender of a message is the authenticated user, whatever the frame says.
        """
        one, two, three = self.user(), self.user(), self.user()
        web, friend = await self.device(one, json_=True), await self.device(two)
        frame = {"type": "send", "client_id": "id-1", "to": two, "content": "hello"}
        frame |= {"from": three, "sender": three, "user": three}
        await web.send_bytes(json.dumps(frame))
        await web.answer("id-1")
        message = await friend.expect("deliver")
        self.assertEqual(getattr(message, "from"), one)
        self.assertEqual(message.conversation, conversation_of(one, two))

    @with_daemons
    async def test_before_hello(self) -> None:
        """
        P8: a client receives nothing before C{hello}, even with a valid token.
        """
        one, two = self.user(), self.user()
        device = await self.dial(one)
        await device.send_frame(send=pb.Send(client_id="id-1", to=two, content="hello"))
        self.assertEqual((await device.expect("error")).code, "bad_frame")
        self.assertEqual(await device.closed(), Close.BAD_FRAME)
        friend = await self.dial(two)
        self.assertEqual(list((await friend.greet()).heads), [])

    @with_daemons
    async def test_no_token_in_logs(self) -> None:
        """
        P8: no log contains tokens or contents of messages.
        """
        one, two = self.user(), self.user()
        device = await self.device(one)
        await device.send(two, "id-1", "tell-nobody")
        bad = self.bad_tokens(one)["forged"]
        await self.refused(one, bad)
        for secret in ("tell-nobody", bad, self.installation.token(one)[-20:]):
            self.assertEqual(self.installation.logged(secret), [])
