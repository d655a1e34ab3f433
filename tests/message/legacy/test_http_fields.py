"""
Tests for the fields of a legacy sender in L{wsmsg.message.legacy.http}, and for groups
that are not stored yet.
"""

from __future__ import annotations

from typing import Any

from tests.message.http.cases import ApiCase
from tests.message.legacy.test_http import FIELDS


class FieldsTests(ApiCase):
    """
    Time, type and acknowledgement id.
    """

    def post(self, name: str, body: object) -> Any:
        """
        Make a request, and deliver what it appends.
        """
        request = self.begin("POST", f"messages/{name}", body)
        self.clock.advance(1)
        return self.end(request)

    def send_with(self, **more: Any) -> Any:
        """
        Send a message with other fields.
        """
        return self.post("send", {"from": 1, "to": 2, "content": "x", **more})

    def test_as_written(self) -> None:
        """
        Time and type of a message are those that its legacy sender wrote, in C{unread}
        and in C{history}, while its acknowledgement id is not answered; they do not
        change the order. Where no date can have the time, it is that of acceptance.
        """
        accepted = "2018-01-01T00:00:00Z"
        for timestamp, date in (
            (1795447835, "2026-11-23T15:30:35Z"),
            (0, "1970-01-01T00:00:00Z"),
            (-1, "1969-12-31T23:59:59Z"),
            (253402300799, "9999-12-31T23:59:59Z"),
            (253402300800, accepted),
            (2**63 - 1, accepted),
            (-(2**63), accepted),
            (None, accepted),
        ):
            more: Any = {"timestamp": timestamp, "ack_id": "k", "message_type": 0}
            self.assertEqual(self.send_with(content=date, **more)[0], 200, timestamp)
        _, page = self.post("history", {"user_id": 2})
        _, unread = self.post("unread", {"user_id": 2})
        for messages in (unread["messages"], page["messages"]):
            self.assertEqual(len(messages), 8)
            ids = [m["message_id"] for m in messages]
            self.assertEqual(ids, sorted(ids))
            for message in messages:
                self.assertEqual(sorted(message), sorted(FIELDS))
                self.assertEqual(message["created_at"], message["content"])
                self.assertEqual(message["updated_at"], accepted)
                self.assertEqual(message["msg_type"], 0)

    def test_sent_fields(self) -> None:
        """
        Time, type and acknowledgement id are kept for legacy recipients; a request that
        has none of them keeps nothing.
        """
        kept: list[tuple[Any, str]] = [
            ({}, ""),
            ({"timestamp": None, "ack_id": None}, ""),
            ({"message_type": 0}, " 0 "),
            ({"ack_id": "k"}, " 1 k"),
            ({"timestamp": -5, "message_type": 7}, "-5 1 "),
        ]
        for more, extra in kept:
            self.assertEqual(self.send_with(**more)[0], 200)
            (stored, _) = self.journal.appends[-1]
            self.assertEqual(stored[-1].extra, extra)
        refused: list[Any] = [
            {"timestamp": 2**63},
            {"timestamp": "5"},
            {"timestamp": 1.5},
            {"ack_id": "x" * 1025},
            {"ack_id": "a\0b"},
            {"ack_id": 1},
        ]
        for more in refused:
            self.assertEqual(self.send_with(**more)[0], 400, more)

    def test_group_not_stored_yet(self) -> None:
        """
        History of a group that was accepted and may not be stored is refused for now,
        with a hint.
        """
        self.not_stored.add("g:5")
        body = {"user_id": 1, "group_id": 5}
        request = self.begin("POST", "messages/history", body)
        status, answer = self.end(request)
        self.assertEqual((status, answer["code"]), (503, "unavailable"))
        self.assertEqual(request.responseHeaders.getRawHeaders("retry-after"), ["1"])
        self.assertEqual(self.post("history", {**body, "group_id": 6})[0], 403)
