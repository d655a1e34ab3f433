"""
Tests of answers that are those of the legacy system: to preflights of browsers, for
sizes and pages, presence of many, long contents over HTTP.
"""

from __future__ import annotations

from typing import Any, ClassVar

import grpc
import grpc.aio

from tests.conformance.contract import (
    GetHistoryRequest,
    GetHistoryResponse,
    OnlineStatusRequest,
    OnlineStatusResponse,
)
from tests.conformance.plain_http import Answer, ask
from tests.conformance.streams import call, channel_to
from tests.integration.cases import with_daemons
from tests.integration.legacy.test_fields import FieldsCase

_MIB = 1048576
_MESSAGES = "/api/v1/messages/"
_ONLINE = "/api/v1/connect/online_status"
_PAGE = "https://chat.example"


class AsTheirsTests(FieldsCase):
    """
    The settings of C{docs/how-to/legacy/migrate.md}.
    """

    message: ClassVar[dict[str, Any]] = {
        **FieldsCase.message,
        "content_bytes": _MIB,
        "http.origins": _PAGE,
    }
    connect: ClassVar[dict[str, Any]] = {
        **FieldsCase.connect,
        "limits.content_bytes": _MIB,
        "limits.frame_bytes": 1114112,
        "limits.outbox_hard_bytes": 8388608,
        "origins": _PAGE,
    }

    def ports(self) -> tuple[int, int]:
        """
        Return the ports of Connect and of Message.
        """
        connect, message = self.installation.connect, self.installation.message
        return connect.port("listen"), message.port("listen")

    async def answer(self, path: str, body: Any, status: int = 200) -> Answer:
        """
        Make a request of a listed page, and check the status.
        """
        connect, message = self.ports()
        port = connect if "/connect/" in path else message
        answer = await ask(port, "POST", path, body, headers={"Origin": _PAGE})
        self.assertEqual(answer.status, status, (body, answer.body[:200]))
        allowed = answer.headers.get("access-control-allow-origin")
        self.assertEqual(allowed, _PAGE, path)
        return answer

    @with_daemons
    async def test_preflights(self) -> None:
        """
        A browser may call every route of the legacy contract from a listed page, also
        with a token, and read the refusals.
        """
        connect, message = self.ports()
        asked = {
            "Origin": _PAGE,
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "authorization, content-type, user-id",
        }
        routes = [
            *((message, _MESSAGES + n) for n in ("send", "history", "unread")),
            *((message, _MESSAGES + "mark-read"), (message, "/health")),
            *((connect, _ONLINE), (connect, "/health")),
            (connect, "/api/v1/connect/ws"),
        ]
        for port, path in routes:
            answer = await ask(port, "OPTIONS", path, None, headers=asked)
            self.assertEqual((answer.status, answer.body), (204, b""), path)
            headers = answer.headers
            self.assertEqual(headers["access-control-allow-origin"], _PAGE)
            self.assertIn("POST", headers["access-control-allow-methods"])
            allowed = headers["access-control-allow-headers"].split(", ")
            self.assertEqual(allowed, ["authorization", "content-type", "user-id"])
            refused = await ask(port, "PUT", path, {}, headers={"Origin": _PAGE})
            self.assertIn(refused.status, (404, 405), path)
            self.assertEqual(refused.headers["access-control-allow-origin"], _PAGE)

    @with_daemons
    async def test_sizes(self) -> None:
        """
        A missing size is 20 over HTTP; over gRPC, it is all, as is 0. A missing page is
        the first over HTTP, and an error over gRPC.
        """
        one, two = await self.client(), await self.client()
        for n in range(30):
            await one.send_text(two.user, str(n))
        await two.expect("29")
        user = two.user
        for more, n_messages, size in (
            ({}, 20, 20),
            ({"size": None, "page": None, "group_id": None}, 20, 20),
            ({"size": 0}, 30, 0),
            ({"size": 0, "page": 1, "group_id": 0}, 30, 0),
            ({"page": 2}, 10, 20),
            ({"page": 2, "size": 0}, 0, 0),
            ({"size": 1000}, 30, 1000),
        ):
            answer = await self.answer(_MESSAGES + "history", {"user_id": user, **more})
            page = answer.document
            self.assertEqual(len(page["messages"] or ()), n_messages, more)
            self.assertEqual((page["size"], page["total"]), (size, 30))
        for size, page_number, n_messages in ((0, 1, 30), (0, 2, 0), (7, 5, 2)):
            asked = GetHistoryRequest(user_id=user, page=page_number, size=size)
            data = await self.call("GetHistoryMessages", asked)
            found = GetHistoryResponse.FromString(data)
            self.assertEqual((len(found.messages), found.total), (n_messages, 30))
        with self.assertRaises(grpc.aio.AioRpcError) as raised:
            await self.call("GetHistoryMessages", GetHistoryRequest(user_id=user))
        self.assertEqual(raised.exception.code(), grpc.StatusCode.INVALID_ARGUMENT)
        self.assertIn("page is 0", raised.exception.details() or "")

    @with_daemons
    async def test_online_status(self) -> None:
        """
        Every asked user is in the answer, once, by HTTP and by gRPC: unknown ones,
        numbers that are no user, thousands. Of nobody, the answer is empty; of too
        many, it is a refusal.
        """
        here = (await self.client()).user
        channel = channel_to(self.installation.connect.port("rpc_listen"))
        self.at_end(channel.close)
        for users in (
            [],
            [here, here, 5, 5],
            [0, -1, -(2**63), 2**63 - 1, here],
            [here, *range(10**15, 10**15 + 9999)],
        ):
            expected = {user: user == here for user in users}
            answer = await self.answer(_ONLINE, {"user_ids": users})
            shown = {str(user): online for user, online in expected.items()}
            self.assertEqual(answer.document, {"status": shown})
            request = OnlineStatusRequest(user_ids=users)
            data = await call(channel, "ConnectService", "OnlineStatus", request)
            self.assertEqual(OnlineStatusResponse.FromString(data).status, expected)
        many = list(range(1, 10_002))
        refused = await self.answer(_ONLINE, {"user_ids": many}, 400)
        self.assertIn("more than 10000", refused.document["error"])
        request = OnlineStatusRequest(user_ids=many)
        with self.assertRaises(grpc.aio.AioRpcError) as raised:
            await call(channel, "ConnectService", "OnlineStatus", request)
        self.assertEqual(raised.exception.code(), grpc.StatusCode.INVALID_ARGUMENT)

    @with_daemons
    async def test_long_over_http(self) -> None:
        """
        A content of 1 MiB is sent over HTTP, however JSON escapes it, and arrives on a
        WebSocket, on the stream of a legacy Connect and in C{history}; one byte more is
        refused as too large.
        """
        one, two = self.user(), await self.client(acknowledges=False)
        peer = await self.legacy_connect(two.user)
        body: dict[str, Any] = {"from": one, "to": two.user, "message_type": 1}
        contents = ("x" * _MIB, "\x01" * _MIB, "\u65e5" * (_MIB // 3))
        for content in contents:
            await self.answer(_MESSAGES + "send", {**body, "content": content})
            await two.expect(content)
            await peer.expect(content)
        answer = await self.answer(_MESSAGES + "history", {"user_id": one, "size": 3})
        found = [m["content"] for m in answer.document["messages"]]
        self.assertEqual(found, list(contents))
        body["content"] = "x" * (_MIB + 1)
        refused = await self.answer(_MESSAGES + "send", body, 413)
        self.assertEqual(refused.document["code"], "too_large")
