"""
Messages over HTTP.
"""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tests.message.http.cases import ApiCase
from wsmsg.model import INT64_MAX, group_of

AT = "conversations/u:1:2/messages"

#: What no field should be.
ODD: tuple[Any, ...] = (None, -1, 2**63, 2**80, 1.5, True, [], {}, "x", "-1", "١")


class SendTests(ApiCase):
    """
    C{POST messages}.
    """

    def test_send(self) -> None:
        """
        A message is answered when it is durable, with its id.  A repeated request is
        answered the same with 200; another message with the same client id is a
        conflict.
        """
        status, accepted = self.send("hello")
        self.assertEqual(status, 201)
        self.assertEqual(accepted["conversation"], "u:1:2")
        self.assertTrue(accepted["message_id"])
        self.assertTrue(accepted["time_ms"])
        self.assertEqual(self.send("hello"), (200, accepted))
        status, problem = self.send_with(client_id="hello", content="bye")
        self.assertEqual((status, problem["code"]), (409, "conflict"))
        self.assertEqual(len(self.journal.appends), 1)

    def test_not_stored_yet(self) -> None:
        """
        The answer does not wait until the message is stored.
        """
        self.journal.delivers = False
        self.assertEqual(self.send("hello")[0], 201)

    def test_refused_for_now(self) -> None:
        """
        A message that the journal cannot accept now is answered with the time to retry.
        """
        self.journal.refuses = True
        request = self.begin(
            "POST", "messages", {"client_id": "a", "from": 1, "to": 2, "content": "x"}
        )
        self.assertEqual(self.end(request)[0], 429)
        self.assertEqual(request.responseHeaders.getRawHeaders("retry-after"), ["2"])

    def test_group(self) -> None:
        """
        A member sends to a group, another user may not.
        """
        self.ask(
            "POST",
            "groups",
            {"client_id": "c", "owner": 1, "name": "crew", "members": [2]},
        )
        group = str(group_of(1, "c"))
        status, accepted = self.send("hello", to=0, group=group)
        self.assertEqual((status, accepted["conversation"]), (201, f"g:{group}"))
        status, problem = self.send("hi", to=0, group=group, **{"from": 9})
        self.assertEqual((status, problem["code"]), (403, "forbidden"))

    def test_bad_fields(self) -> None:
        """
        Each field that is absent, malformed or unknown is refused by its name.
        """
        for name in ("from", "to", "group", "kind", "client_id", "content"):
            for value in ODD:
                if name in ("client_id", "content") and isinstance(value, str):
                    continue  # any text will do
                status, problem = self.send_with(**{name: value})
                self.assertEqual(status, 400, (name, value))
                self.assertIn(name, problem["detail"], value)
        for more, word in (
            ({"from": 0}, "from"),
            ({"to": 0}, "to"),
            ({"group": 3}, "either to"),
            ({"kind": 0}, "kind"),
            ({"kind": 1000}, "kind"),
            ({"kind": 1002}, "kind"),
            ({"client_id": ""}, "client_id"),
            ({"client_id": "x" * 65}, "client_id"),
            ({"content": "\0"}, "U+0000"),
            ({"colour": 1}, "colour"),
        ):
            status, problem = self.send_with(**more)
            self.assertEqual(status, 400, more)
            self.assertIn(word, problem["detail"])
        self.assertEqual(self.send_with(content="y" * 101)[0], 413)
        whole = {"client_id": "a", "from": 1, "to": 2, "content": "x"}
        for name in ("client_id", "from", "to", "content"):
            body = {k: v for k, v in whole.items() if k != name}
            self.assertEqual(self.ask("POST", "messages", body)[0], 400, name)
        self.assertEqual(self.journal.appends, [])

    def test_no_documents(self) -> None:
        """
        A body that is not JSON or not UTF-8, or that is nested too deeply, is refused.
        """
        half = rb'{"client_id": "a", "from": 1, "to": 2, "content": "\ud800"}'
        for body in (b"", b"{", b"7", b"null", b'"\xff"', b"[" * 99999, half):
            status, problem = self.ask("POST", "messages", body)
            self.assertEqual((status, problem["code"]), (400, "bad_request"), body[:9])
        self.assertEqual(self.journal.appends, [])


class PageTests(ApiCase):
    """
    C{conversations/{conversation}/messages}.
    """

    def setUp(self) -> None:
        super().setUp()
        for n in range(1, 8):
            self.assertEqual(self.send(str(n))[0], 201)

    def page(self, **args: Any) -> tuple[list[int], Any, Any]:
        """
        Return the seqs on a page, its C{next} and its C{previous}.
        """
        status, page = self.ask("GET", AT, **{"user": 2, **args})
        self.assertEqual((status, page["head"]), (200, 7))
        return [m["seq"] for m in page["messages"]], page["next"], page["previous"]

    def test_forwards(self) -> None:
        """
        Pages follow one another by C{next}, and have each message once.
        """
        seen: list[int] = []
        after: Any = 0
        while after is not None:
            some, after, _ = self.page(after=after, limit=3)
            seen += some
        self.assertEqual(seen, [1, 2, 3, 4, 5, 6, 7])

    def test_backwards(self) -> None:
        """
        Pages lead back from the end by C{previous}.
        """
        seen: list[list[int]] = []
        before: Any = 8
        while before is not None:
            some, _, before = self.page(before=before, limit=3)
            seen.append(some)
        self.assertEqual(seen, [[5, 6, 7], [2, 3, 4], [1]])

    def test_between(self) -> None:
        """
        With both bounds a page has the messages between them.
        """
        self.assertEqual(self.page(after=2, before=5), ([3, 4], 4, 3))
        self.assertEqual(self.page(after=2, before=3)[0], [])
        self.assertEqual(self.page(after=5, before=2)[0], [])
        self.assertEqual(self.page(before=1), ([], None, None))
        self.assertEqual(self.page(after=7), ([], None, None))
        self.assertEqual(self.page(after=INT64_MAX)[0], [])
        self.assertEqual(self.page(before=INT64_MAX, limit=2), ([6, 7], None, 6))

    def test_message(self) -> None:
        """
        A message is shown as it was sent.
        """
        _, page = self.ask("GET", AT, user=1, limit=1)
        (message,) = page["messages"]
        self.assertTrue(message.pop("message_id"))
        self.assertTrue(message.pop("time_ms"))
        expected = {"seq": 1, "from": 1, "client_id": "1", "content": "1", "kind": 1}
        self.assertEqual(message, expected)

    def test_refused(self) -> None:
        """
        A user who is not in a conversation cannot read it; malformed arguments are
        refused by their names.
        """
        self.assertEqual(self.ask("GET", AT, user=3)[0], 403)
        self.assertEqual(self.ask("GET", AT)[0], 400)
        self.assertEqual(self.ask("GET", "conversations/x/messages", user=1)[0], 404)
        self.assertEqual(self.ask("GET", "conversations/g:5/messages", user=1)[0], 403)
        for name in ("user", "after", "before", "limit", "colour"):
            for value in ("x", -1, 2**63, "1.5"):
                status, problem = self.ask("GET", AT, **{"user": 1, name: value})
                self.assertEqual(status, 400, (name, value))
                self.assertIn(name, problem["detail"])

    @given(st.integers(0, 12), st.integers(0, 12), st.integers(1, 9))
    def test_any_bounds(self, after: int, before: int, limit: int) -> None:
        """
        A page has seqs without a gap within its bounds, whatever the bounds are.
        """
        some, _, _ = self.page(after=after, before=before, limit=limit)
        self.assertLessEqual(len(some), limit)
        self.assertEqual(some, list(range(some[0], some[-1] + 1)) if some else [])
        self.assertTrue(all(s > after and (not before or s < before) for s in some))
