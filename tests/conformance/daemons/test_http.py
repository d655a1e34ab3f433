"""
Tests of our Message's HTTP API for the legacy test client, path by path.
"""

from __future__ import annotations

import time
from datetime import datetime
from typing import Any

from tests.conformance.contract import MESSAGES_PATH
from tests.conformance.daemons.cases import LegacyPeersTestCase
from tests.integration.cases import eventually, with_daemons

_STORED = {
    "id": str,
    "message_id": int,
    "from": int,
    "to": int,
    "group_id": int,
    "content": str,
    "msg_type": int,
    "status": int,
    "created_at": str,
    "updated_at": str,
}


class HttpTests(LegacyPeersTestCase):
    """
    C{POST /api/v1/messages/...}, with no token.
    """

    async def asked(self, name: str, document: Any) -> Any:
        """
        Return the document that answers a request.
        """
        answer = await self.ask(MESSAGES_PATH + name, document)
        self.assertEqual(answer.status, 200, answer)
        self.assertIn("application/json", answer.headers["content-type"])
        return answer.document

    async def talked(self, *contents: str) -> tuple[int, int]:
        """
        Return two users, one of whom sent these messages while the other was away.
        """
        one = await self.connected()
        other = self.client()
        for content in contents:
            await one.send_text(other.user, content)

        async def stored() -> bool:
            return len(await other.unread()) == len(contents)

        await eventually("stored", stored)
        return one.user, other.user

    @with_daemons
    async def test_http_unread(self) -> None:
        """
        A user gets the messages that they have not read, oldest first, with every field
        of its type.
        """
        one, other = await self.talked("first", "second")
        found = await self.asked("unread", {"user_id": other})
        self.assertEqual(found["total"], 2)
        self.assertEqual([m["content"] for m in found["messages"]], ["first", "second"])
        for message in found["messages"]:
            self.assertEqual({k: type(v) for k, v in message.items()}, _STORED)
            self.assertGreater(message["message_id"], 0)
            self.assertEqual((message["from"], message["to"]), (one, other))
            self.assertEqual(
                (message["group_id"], message["msg_type"], message["status"]), (0, 1, 0)
            )
            for name in ("created_at", "updated_at"):
                self.assertTrue(message[name].endswith("Z"), message)
                at = datetime.fromisoformat(message[name]).timestamp()
                self.assertLess(abs(at - time.time()), 120)

    @with_daemons
    async def test_http_unread_none(self) -> None:
        """
        A user who has read everything gets C{null} messages and a total of 0, and so
        does the sender.
        """
        one, _ = await self.talked("first")
        for user in (one, self.user()):
            found = await self.asked("unread", {"user_id": user})
            self.assertEqual(found, {"messages": None, "total": 0})

    @with_daemons
    async def test_http_mark_read(self) -> None:
        """
        A message that is marked by its C{id} is read, and its status says so; unknown
        ids and ids of other users' messages are skipped.
        """
        one, other = await self.talked("first", "second", "third")
        unread = (await self.asked("unread", {"user_id": other}))["messages"]
        stolen = {"user_id": one, "message_ids": [unread[0]["id"]]}
        await self.asked("mark-read", stolen)
        ids = [unread[1]["id"], "no such id", "6b0400000000000000000000", ""]
        marked = await self.asked("mark-read", {"user_id": other, "message_ids": ids})
        self.assertIs(marked["success"], True)
        self.assertIsInstance(marked["message"], str)
        left = await self.asked("unread", {"user_id": other})
        contents = [m["content"] for m in left["messages"]]
        self.assertEqual((contents, left["total"]), (["first", "third"], 2))
        page = await self.asked(
            "history", {"user_id": other, "group_id": 0, "page": 1, "size": 20}
        )
        self.assertEqual([m["status"] for m in page["messages"]], [0, 1, 0])

    @with_daemons
    async def test_http_history(self) -> None:
        """
        History has the messages of both users, oldest first, with pages from 1 on.
        """
        one, other = await self.talked(*(f"{n}" for n in range(5)))
        for user in (one, other):
            asked = {"user_id": user, "group_id": 0, "page": 2, "size": 2}
            page = await self.asked("history", asked)
            self.assertEqual([m["content"] for m in page["messages"]], ["2", "3"])
            self.assertEqual((page["total"], page["page"], page["size"]), (5, 2, 2))
            asked = {"user_id": user, "group_id": 0, "page": 4, "size": 2}
            page = await self.asked("history", asked)
            self.assertEqual((page["messages"] or [], page["total"]), ([], 5))

    @with_daemons
    async def test_http_send(self) -> None:
        """
        A message that is sent over HTTP reaches the recipient's WebSocket.
        """
        one = self.user()
        other = await self.connected()
        document = {
            "from": one,
            "to": other.user,
            "group_id": 0,
            "content": "over HTTP",
            "message_type": 1,
            "ack_id": "",
        }
        answered = await self.asked("send", document)
        self.assertIsInstance(answered["message"], str)
        self.assertIn(answered.get("success", True), (True,))
        received = await other.expect("over HTTP")
        self.assertEqual((received.to, received.message_type), (other.user, 1))

    @with_daemons
    async def test_http_bad(self) -> None:
        """
        A request that cannot be parsed is refused with a reason, and changes nothing.
        """
        _, other = await self.talked("first")
        for name, document in (
            ("unread", {}),
            ("unread", {"user_id": "me"}),
            ("unread", {"user_id": -1}),
            ("unread", []),
            ("mark-read", {"user_id": other, "message_ids": "all"}),
            ("history", {"user_id": other, "group_id": 0, "page": -1, "size": 5}),
            ("send", {"from": 0, "to": 0, "content": "", "message_type": 1}),
        ):
            answer = await self.ask(MESSAGES_PATH + name, document)
            self.assertIn(answer.status, (400, 422), (name, document, answer))
            self.assertTrue(answer.body, name)
        found = await self.asked("unread", {"user_id": other})
        self.assertEqual(found["total"], 1)

    @with_daemons
    async def test_http_health(self) -> None:
        """
        C{GET /health} returns C{ok} and the time.
        """
        answer = await self.ask("/health", method="GET")
        self.assertEqual(answer.status, 200)
        self.assertEqual(answer.document["status"], "ok")
        self.assertLess(abs(answer.document["time"] - time.time()), 120)

    @with_daemons
    async def test_http_cors(self) -> None:
        """
        A web page of this machine may call the API, in the preflight and in the
        request.
        """
        origin = {"Origin": "http://localhost:3000"}
        answer = await self.ask(
            MESSAGES_PATH + "unread", {"user_id": self.user()}, headers=origin
        )
        allowed = answer.headers.get("access-control-allow-origin")
        self.assertIn(allowed, ("*", "http://localhost:3000"))
