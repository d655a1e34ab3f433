"""
Tests of the entries for legacy Connects and of the messages that they forward, without
Redis.
"""

from __future__ import annotations

import json
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from wsmsg.connect.legacy.redis.forward import (
    Forward,
    InvalidForward,
    limit_bytes,
    read_forward,
)
from wsmsg.connect.legacy.redis.ledger import REFRESH_S, PresenceLedger
from wsmsg.model import Message

CONTENT_BYTES = 1000


def names(ledger: PresenceLedger, now_s: float = 0.0, limit: int = 100) -> list[str]:
    """
    Return the names of the entries to write now.
    """
    return [entry.name for _, entry in ledger.next_writes(now_s, limit)]


def removals(ledger: PresenceLedger, limit: int = 100) -> list[str]:
    """
    Return the names of the entries to remove now.
    """
    return [entry.name for entry in ledger.next_removals(limit)]


def forwarded(**fields: Any) -> dict[str, Any]:
    """
    Return a forward of a legacy Connect; L{None} leaves a field out.
    """
    said = {
        "message_id": 1795447835846364,
        "from": 1001,
        "to": 1002,
        "content": "hello",
        "timestamp": 1795447835,
        "message_type": 1,
    }
    whole: dict[str, Any] = {
        "from_instance": "connect-1",
        "to_instance": "here",
        "user_id": 1002,
        "timestamp": 1795447835,
        "type": "forward_message",
        "message": said,
    }
    for name, value in fields.items():
        name = name.rstrip("_")
        place = whole if name in whole and name != "timestamp" else said
        place[name] = value
        if value is None:
            del place[name]
    return whole


def read(**fields: Any) -> Forward:
    """
    Validate the forward that L{forwarded} makes.
    """
    return read_forward(json.dumps(forwarded(**fields)), "here", CONTENT_BYTES)


class LedgerTests(SynchronousTestCase):
    """
    The sessions in L{PresenceLedger}, and their names.
    """

    def setUp(self) -> None:
        self.ledger = PresenceLedger(3)

    def test_told_once(self) -> None:
        """
        A session is written when it begins, and removed when it ends.
        """
        self.ledger.add("a", 7, "legacy", 100.9)
        self.assertEqual(names(self.ledger), ["conn-7-100"])
        self.assertEqual(names(self.ledger), [])
        self.ledger.remove("a")
        self.assertEqual(removals(self.ledger), ["conn-7-100"])
        self.assertEqual((len(self.ledger), self.ledger.waiting), (0, 0))

    def test_never_told(self) -> None:
        """
        A session that ended before it was written is never mentioned.
        """
        self.ledger.add("a", 7, "legacy", 100)
        self.ledger.remove("a")
        self.ledger.remove("a")
        self.assertEqual(names(self.ledger) + removals(self.ledger), [])

    def test_refreshed(self) -> None:
        """
        An entry is written again after a minute, the oldest first, in batches.
        """
        for at, key in enumerate("abc"):
            self.ledger.add(key, at + 1, "legacy", 100)
            names(self.ledger, at)
        self.assertEqual(names(self.ledger, REFRESH_S - 0.1), [])
        self.assertEqual(names(self.ledger, REFRESH_S), ["conn-1-100"])
        self.assertEqual(names(self.ledger, 2 * REFRESH_S, 1), ["conn-2-100"])
        self.assertEqual(len(names(self.ledger, 2 * REFRESH_S)), 2)

    def test_one_second(self) -> None:
        """
        Logins of one user in one second have different names, even if the entry before
        is not yet removed.
        """
        for key in "ab":
            self.ledger.add(key, 7, "legacy", 100)
        self.assertEqual(names(self.ledger), ["conn-7-100", "conn-7-101"])
        self.ledger.remove("a")
        self.ledger.add("c", 7, "legacy", 100)
        self.assertEqual(names(self.ledger), ["conn-7-102"])

    def test_refused(self) -> None:
        """
        A name that another Connect has stays with it; the session takes the next one.
        """
        self.ledger.add("a", 7, "legacy", 100)
        names(self.ledger)
        self.ledger.name_taken("conn-7-100")
        self.assertEqual(names(self.ledger), ["conn-7-101"])
        self.ledger.remove("a")
        self.assertEqual(removals(self.ledger), ["conn-7-101"])

    def test_refused_late(self) -> None:
        """
        The entry of an ended session is not removed if another Connect has its name.
        """
        self.ledger.add("a", 7, "legacy", 100)
        names(self.ledger)
        self.ledger.remove("a")
        self.ledger.name_taken("conn-7-100")
        self.ledger.name_taken("conn-7-100")
        self.assertEqual(removals(self.ledger) + names(self.ledger), [])

    def test_anew(self) -> None:
        """
        After a loss all entries are written again, and ended sessions are still
        removed.
        """
        self.ledger.add("a", 1, "legacy", 100)
        self.ledger.add("b", 2, "legacy", 100)
        names(self.ledger)
        self.ledger.remove("a")
        self.ledger.write_all_again()
        self.assertEqual(names(self.ledger), ["conn-2-100"])
        gone = self.ledger.next_removals(9)
        self.ledger.removal_failed(gone)
        self.assertEqual(removals(self.ledger), ["conn-1-100"])

    def test_many_gone(self) -> None:
        """
        The removals that wait for Redis are bounded; the oldest entries expire.
        """
        for at in range(5):
            self.ledger.add(at, at + 1, "legacy", 100)
        names(self.ledger)
        for at in range(5):
            self.ledger.remove(at)
        self.assertEqual(removals(self.ledger), [f"conn-{u}-100" for u in (3, 4, 5)])
        self.assertEqual(self.ledger.forgotten, 2)


class ForwardTests(SynchronousTestCase):
    """
    Messages that legacy Connects forward.
    """

    def test_direct(self) -> None:
        """
        A message between two users is valid, with or without its empty fields.
        """
        message = Message(
            *("u:1001:1002", 1001, "", 1795447835846364, "hello", 1, 1795447835000),
            extra="1795447835 1 ",
        )
        self.assertEqual(read(), Forward(1002, message))
        self.assertEqual(read(group_id=0, ack_id="", more=[1]), Forward(1002, message))

    def test_as_written(self) -> None:
        """
        Time, type and acknowledgement id are those that the sender wrote; a field that
        is left out is empty.
        """
        for timestamp, kind, ack_id, extra in (
            (-9, 0, "k", "-9 0 k"),
            (None, None, None, "0 0 "),
            (2**63 - 1, 1, "x" * 5000, f"{2**63 - 1} 1 " + "x" * 5000),
        ):
            more = {"timestamp": timestamp, "message_type": kind}
            message = read(**more, **({"ack_id": ack_id} if ack_id else {})).message
            self.assertEqual((message.extra, message.kind), (extra, 1))
            self.assertGreaterEqual(message.time_ms, 0)

    def test_limit(self) -> None:
        """
        A content of the longest size is read, however the legacy Connect escapes it.
        """
        content = "<" * CONTENT_BYTES
        text = json.dumps(forwarded(content=content)).replace("<", "\\u003c")
        self.assertLess(len(text), limit_bytes(CONTENT_BYTES))
        read_forward(text, "here", CONTENT_BYTES)

    def test_group(self) -> None:
        """
        A message in a group is valid.
        """
        self.assertEqual(read(group_id=9, to=None).message.conversation, "g:9")

    def test_hostile(self) -> None:
        """
        A field that is absent, zero, negative, huge or of another type is refused with
        a reason, and has no other effect.
        """
        values: dict[str, tuple[Any, ...]] = {
            "message_id": (None, 0, -1, 2**63, 10**400, "1", 1.5, True, [], {}),
            "from": (None, 0, -1, 2**63, "1001", None),
            "to": (None, -1, 2**63, "1002", 1003),
            "group_id": (-1, 2**63, "9"),
            "content": (1, [], {}, "x" * (CONTENT_BYTES + 1)),
            "timestamp": (2**63, -(2**63) - 1, "1", 1.5),
            "ack_id": (1, [], {}),
            "message_type": (-1, 2, 3, 4, 10, 1000, 2**63, "1"),
            "user_id": (None, 0, -1, 2**63, "1002", 1003),
            "to_instance": (None, "", "there", 1),
            "type": (None, "", "other", 1, "y" * 10_000),
            "message": (None, 1, "hello", [], {}),
        }
        for name, bad in values.items():
            for value in bad:
                with self.assertRaises(
                    InvalidForward, msg=f"{name}={value!r}"
                ) as caught:
                    read(**{name: value})
                self.assertLess(len(str(caught.exception)), 300)

    def test_not_json(self) -> None:
        """
        A forward that is no JSON object, truncated, deeply nested or no UTF-8 is
        refused.
        """
        whole = json.dumps(forwarded())
        deep = "[" * 100_000 + "]" * 100_000
        for text in (
            "",
            "null",
            "[]",
            whole[:-1],
            whole + "x",
            deep,
            whole[:-1] + f', "more": {deep}' + "}",
            whole.encode().replace(b"hello", b"\xff\xfe"),
            b"\x00",
            whole.replace("hello", "\\ud800"),
        ):
            with self.assertRaises(InvalidForward):
                read_forward(text, "here", CONTENT_BYTES)
