"""
Tests for L{wsmsg.message.legacy.http} and L{wsmsg.message.legacy.http_forms}.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tests.message.http.cases import ApiCase
from wsmsg.errors import Unavailable
from wsmsg.message.cluster.message_ids import EPOCH_MS
from wsmsg.message.legacy.http_forms import id_of, mark_in
from wsmsg.model import Mark, Message, group_of

FIELDS = [
    *("id", "message_id", "from", "to", "group_id", "content", "msg_type", "status"),
    *("created_at", "updated_at"),
]
ODD: tuple[Any, ...] = (-1, 2**63, 2**80, 1.5, True, [], {}, "x")


class ContractTests(ApiCase):
    """
    L{wsmsg.message.legacy.http.LegacyHttpCalls}.
    """

    def post(self, name: str, body: object, **more: Any) -> Any:
        """
        Make a request, and deliver what it appends.
        """
        request = self.begin("POST", f"messages/{name}", body, **more)
        self.clock.advance(1)
        return self.end(request)

    def send(self, content: str, sender: int = 1, to: int = 2, **more: Any) -> Any:
        """
        Send a message as a legacy peer does.
        """
        return self.send_with(**{"from": sender, "to": to, "content": content, **more})

    def send_with(self, **more: Any) -> Any:
        """
        Send a message with other fields.
        """
        body = {"from": 1, "to": 2, "group_id": 0, "content": "x"}
        return self.post("send", {**body, "message_type": 1, "ack_id": "", **more})

    def unread(self, user: int) -> list[Any]:
        """
        Return the unread messages of a user.
        """
        status, answer = self.post("unread", {"user_id": user})
        self.assertEqual(status, 200)
        self.assertEqual(list(answer), ["messages", "total"])
        return answer["messages"] or []

    def test_send(self) -> None:
        """
        A message is sent once for each request, and unknown fields are ignored.
        """
        for _ in range(2):
            answer = self.send("hello", colour="red")
            self.assertEqual(answer, (200, {"success": True, "message": "sent"}))
        self.assertEqual([m["content"] for m in self.unread(2)], ["hello", "hello"])

    def test_send_least(self) -> None:
        """
        Only the sender, the recipient and the content are required.
        """
        status, _ = self.post("send", {"from": 1, "to": 2, "content": "x"})
        self.assertEqual(status, 200)
        self.assertEqual(self.unread(2)[0]["msg_type"], 1)

    def test_send_to_group(self) -> None:
        """
        A message with a group ignores the user in C{to}.
        """
        self.ask(
            "POST",
            "groups",
            {"client_id": "c", "owner": 1, "name": "crew", "members": [2]},
        )
        group = group_of(1, "c")
        self.assertEqual(self.send("all", group_id=group)[0], 200)
        (message,) = self.unread(2)
        self.assertEqual((message["group_id"], message["to"]), (group, 0))
        self.assertEqual(self.send("all", sender=9, group_id=group)[0], 403)
        status, page = self.post("history", {"user_id": 2, "group_id": group})
        self.assertEqual([m["content"] for m in page["messages"]], ["all"])
        status, _ = self.post("history", {"user_id": 9, "group_id": group})
        self.assertEqual(status, 403)

    def test_send_refused(self) -> None:
        """
        An invalid send is refused with the error document of the legacy system.
        """
        for name in ("from", "to", "group_id", "content", "message_type"):
            for value in ODD:
                if name == "content" and isinstance(value, str):
                    continue
                status, answer = self.send_with(**{name: value})
                self.assertEqual(status, 400, (name, value))
                self.assertEqual(answer["code"], "bad_request")
        for more in (
            {"from": 0},
            {"to": 0},
            {"content": "\0"},
            {"message_type": 2},
            {"message_type": 4},
            {"message_type": 10},
            {"message_type": 1000},
        ):
            self.assertEqual(self.send_with(**more)[0], 400, more)
        for body in (b"", b"{", b"[]", b"\xff", b"[" * 9999, b"null"):
            self.assertEqual(self.post("send", body)[0], 400)
        self.assertEqual(self.journal.appends, [])

    def test_unread(self) -> None:
        """
        Unread messages have the fields of the contract, with dates of RFC 3339 in UTC;
        the list is null if it is empty.
        """
        self.assertEqual(
            self.post("unread", {"user_id": 2}), (200, {"messages": None, "total": 0})
        )
        self.send("hello")
        (message,) = self.unread(2)
        self.assertEqual(sorted(message), sorted(FIELDS))
        self.assertIsInstance(message["id"], str)
        expected = {
            "from": 1,
            "to": 2,
            "group_id": 0,
            "content": "hello",
            "msg_type": 1,
            "status": 0,
        }
        self.assertEqual({k: message[k] for k in expected}, expected)
        for name in ("created_at", "updated_at"):
            date = datetime.fromisoformat(message[name])
            self.assertTrue(message[name].endswith("Z"))
            self.assertEqual(date.utcoffset(), timedelta())
            self.assertEqual(int(date.timestamp()), EPOCH_MS // 1000)

    def test_bounded(self) -> None:
        """
        One answer has at most as many messages as the setting allows, and the total.
        """
        self.configure(unread=2)
        for n in range(3):
            self.send(str(n))
        _, answer = self.post("unread", {"user_id": 2})
        self.assertEqual(len(answer["messages"]), 2)
        self.assertEqual(answer["total"], 3)

    def test_mark_read(self) -> None:
        """
        Marked messages are no longer unread. Unknown ids, ids of messages to others and
        malformed ids are skipped and named, and all valid ones count.
        """
        for n in range(3):
            self.send(str(n))
        self.send("other", sender=5, to=6)
        ids = [m["id"] for m in self.unread(2)]
        (foreign,) = [m["id"] for m in self.unread(6)]
        missing = id_of(Message("u:1:2", 1, "", 0, "", 1, 0, 77))
        bad = ["6b04a1b2c3d4e5f607182930", "", "é", "=", "x" * 999, foreign, missing]
        status, answer = self.post(
            "mark-read", {"user_id": 2, "message_ids": [ids[0], *bad, ids[2]]}
        )
        self.assertEqual((status, answer["success"]), (200, True))
        self.assertEqual(sorted(answer["failed"]), sorted(bad))
        self.assertIn("2 marked", answer["message"])
        self.assertEqual([m["content"] for m in self.unread(2)], ["1"])
        self.assertEqual(len(self.unread(6)), 1)

    def test_mark_by_message_id(self) -> None:
        """
        C{mark-read} accepts the message id that a WebSocket client knows.
        """
        self.send("a")
        (message,) = self.unread(2)
        ids = [str(message["message_id"]), 0, str(2**70)]
        _, answer = self.post("mark-read", {"user_id": 2, "message_ids": ids})
        self.assertEqual(answer["failed"], ids[1:])
        self.assertEqual(self.unread(2), [])

    def test_mark_nothing(self) -> None:
        """
        Marking no messages succeeds; the user is required.
        """
        nothing: tuple[Any, ...] = ([], None)
        for ids in nothing:
            status, answer = self.post("mark-read", {"user_id": 2, "message_ids": ids})
            self.assertEqual((status, answer["failed"]), (200, []))
        for user in (0, *ODD):
            body = {"user_id": user, "message_ids": []}
            self.assertEqual(self.post("mark-read", body)[0], 400, user)
        many = {"user_id": 2, "message_ids": [str(n) for n in range(10_001)]}
        self.assertEqual(self.post("mark-read", many)[0], 400)
        wrong: tuple[Any, ...] = ("x", {}, [None], [[]], [True])
        for odd in wrong:
            body = {"user_id": 2, "message_ids": odd}
            self.assertEqual(self.post("mark-read", body)[0], 400, odd)

    def test_store_down(self) -> None:
        """
        While the store is down, requests fail as unavailable, and nothing is marked.
        """
        self.send("a")
        (message,) = self.unread(2)
        self.store.down = True
        body = {"user_id": 2, "message_ids": [message["id"]]}
        for name in ("mark-read", "unread"):
            status, answer = self.post(name, body)
            self.assertEqual((status, answer["code"]), (503, Unavailable.code))
        self.store.down = False
        self.assertEqual(len(self.unread(2)), 1)

    def test_history(self) -> None:
        """
        History has both sides of the conversations, oldest first, by pages, and tells
        which messages their recipient has read.
        """
        self.send("a")
        self.send("b", sender=2, to=1)
        self.send("c", sender=3, to=1)
        ids = [m["id"] for m in self.unread(2)]
        self.post("mark-read", {"user_id": 2, "message_ids": ids})
        body = {"user_id": 1, "group_id": 0, "page": 1, "size": 2}
        _, page = self.post("history", body)
        self.assertEqual(list(page), ["messages", "total", "page", "size"])
        self.assertEqual((page["total"], page["page"], page["size"]), (3, 1, 2))
        self.assertEqual([m["content"] for m in page["messages"]], ["a", "b"])
        self.assertEqual([m["status"] for m in page["messages"]], [1, 0])
        _, page = self.post("history", {**body, "page": 2})
        self.assertEqual([m["content"] for m in page["messages"]], ["c"])
        _, page = self.post("history", {**body, "size": 0})
        self.assertEqual([m["content"] for m in page["messages"]], ["a", "b", "c"])
        _, page = self.post("history", {"user_id": 1, "page": 1})
        self.assertEqual(
            ([m["content"] for m in page["messages"]], page["size"]),
            (["a", "b", "c"], 20),
        )
        _, page = self.post("history", {**body, "page": 3})
        self.assertIsNone(page["messages"])
        self.assertEqual(page["total"], 3)

    def test_history_refused(self) -> None:
        """
        Invalid pages are refused.
        """
        body = {"user_id": 1, "group_id": 0, "page": 1, "size": 20}
        for name in body:
            for value in (0, *ODD) if name == "page" else ODD:
                status, answer = self.post("history", {**body, name: value})
                self.assertEqual(status, 400, (name, value))
                self.assertTrue(answer["error"])
        self.assertEqual(self.post("history", {**body, "size": 1001})[0], 400)
        self.assertEqual(self.post("history", {})[0], 400)

    def test_other_methods(self) -> None:
        """
        A preflight request of a browser is answered, and another method is refused with
        the error document of the legacy system.
        """
        self.configure(keys=["k" * 16])
        request = self.begin("OPTIONS", "messages/unread")
        self.assertEqual(request.responseCode, 204)
        self.assertEqual(request.written, [])
        for word in ("origin", "headers", "methods"):
            header = f"access-control-allow-{word}"
            self.assertEqual(request.responseHeaders.getRawHeaders(header), ["*"])
        self.assertEqual(set(self.ask("GET", "messages/unread")[1]), {"error", "code"})
        self.configure()
        request = self.begin("OPTIONS", "messages/unread")
        self.assertEqual(request.responseHeaders.getRawHeaders(header), None)

    def test_date(self) -> None:
        """
        A date has as many digits as it needs.
        """
        self.send("a")
        (message,) = self.unread(2)
        self.assertEqual(message["created_at"], "2018-01-01T00:00:00Z")

    def test_keys(self) -> None:
        """
        With keys in the settings, services need one; users list and mark their unread
        messages with their own token.
        """
        self.configure(keys=["0123456789abcdef"])
        own = ("messages/unread", "messages/mark-read")
        bodies = {"messages/history": {"user_id": 2}, "messages/send": {"from": 2}}
        self.key = "token-of-2"
        for path in own:
            self.assertEqual(self.ask("POST", path, {"user_id": 2})[0], 200)
            status, refusal = self.ask("POST", path, {"user_id": 3})
            self.assertEqual((status, refusal["code"]), (401, "unauthenticated"))
        for path, body in bodies.items():
            self.assertEqual(self.ask("POST", path, body)[0], 401)
        self.key = "Bearer 0123456789abcdef"
        self.assertEqual(
            [self.ask("POST", p, {"user_id": 3})[0] for p in own], [200] * 2
        )
        for path, status in (("messages/history", 200), ("messages/send", 400)):
            self.assertEqual(self.ask("POST", path, bodies[path])[0], status)


class IdTests(ApiCase):
    """
    L{id_of} and L{mark_in}.
    """

    @given(st.integers(1, 2**63 - 1), st.integers(1, 2**63 - 1))
    def test_there_and_back(self, number: int, seq: int) -> None:
        """
        An id leads to its message.
        """
        for conversation in (f"g:{number}", f"u:1:{number}"):
            message = Message(conversation, 1, "x", 5, "", 1, 0, seq)
            mark = mark_in(2, id_of(message))
            self.assertEqual(mark, Mark(2, 0, conversation, seq))

    @given(st.text() | st.integers() | st.binary().map(lambda b: b.decode("latin-1")))
    def test_anything(self, given: Any) -> None:
        """
        Any text is a valid id or none.
        """
        mark = mark_in(2, given)
        self.assertTrue(mark is None or mark.user == 2)
