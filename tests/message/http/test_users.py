"""
Users over HTTP: conversations, unread counts, presence and sessions.
"""

from __future__ import annotations

import time

from tests.message.http.cases import ApiCase
from wsmsg.message.queries.queries import Queries


class UserCallsTests(ApiCase):
    """
    L{UserCalls}.
    """

    def test_conversations(self) -> None:
        """
        A user's conversations are listed page by page, with unread counts and the
        positions of both users.
        """
        self.send("a")
        self.send("b")
        self.send("c", to=3)
        self.ask("POST", "users/2/read", {"conversation": "u:1:2", "seq": 1})
        seen, after = [], ""
        while after is not None:
            _, page = self.ask("GET", "users/1/conversations", after=after, limit=1)
            seen += page["conversations"]
            after = page["next"]
        self.assertEqual([c["conversation"] for c in seen], ["u:1:2", "u:1:3"])
        self.assertEqual([c["head"] for c in seen], [2, 1])
        self.assertEqual(seen[0]["others"], [{"user": 2, "delivered": 1, "read": 1}])
        _, page = self.ask("GET", "users/2/conversations")
        self.assertEqual(page["conversations"][0]["read"], 1)
        self.assertEqual(page["conversations"][0]["unread"], 1)

    def test_unread(self) -> None:
        """
        Unread messages are counted in all and for each conversation; reading lowers the
        counts.
        """
        self.send("a")
        self.send("b")
        self.send("c", **{"from": 3})
        _, counts = self.ask("GET", "users/2/unread")
        self.assertEqual(counts["total"], 3)
        self.assertEqual(
            counts["conversations"],
            [
                {"conversation": "u:1:2", "unread": 2},
                {"conversation": "u:2:3", "unread": 1},
            ],
        )
        self.ask("POST", "users/2/read", {"conversation": "u:1:2", "seq": 2})
        _, counts = self.ask("GET", "users/2/unread")
        self.assertEqual(counts["total"], 1)
        self.assertEqual(len(counts["conversations"]), 1)
        self.assertEqual(self.ask("GET", "users/9/unread")[1]["total"], 0)

    def test_unread_without_total(self) -> None:
        """
        The unread messages of a page are counted without those on the other pages if
        the request says so, on each page.
        """
        self.send("a")
        self.send("b", **{"from": 3})
        seen, after = [], ""
        queries = self.behind.queries
        assert isinstance(queries, Queries)
        before = queries.asked
        while after is not None:
            _, page = self.ask("GET", "users/2/unread", after=after, limit=1, total=0)
            self.assertIsNone(page["total"])
            seen += page["conversations"]
            after = page["next"]
        self.assertEqual([c["unread"] for c in seen], [1, 1])
        self.assertEqual(queries.asked, before + 2)
        _, page = self.ask("GET", "users/2/unread", limit=1)
        self.assertEqual(page["total"], 2)

    def test_receipt(self) -> None:
        """
        The other members of a conversation learn the position of the reader.
        """
        link = self.link("edge", 1)
        self.send("a")
        status, state = self.ask(
            "POST", "users/2/read", {"conversation": "u:1:2", "seq": "1"}
        )
        self.assertEqual((status, state["read"]), (200, 1))
        (receipt,) = link.next_frame().batch.receipts
        self.assertEqual((receipt.cursor.user, receipt.cursor.read), (2, 1))

    def test_read_refused(self) -> None:
        """
        A user cannot read a conversation of others; malformed fields are refused by
        their names.
        """
        many = "1" * 4400  # more digits than int() reads
        wrong = [("u:2:1", 400), ("x", 400), (f"u:{many}:1", 400), (f"u:1:{many}", 400)]
        for name, status in (("u:1:2", 403), ("g:7", 403), *wrong):
            body = {"conversation": name, "seq": 1}
            self.assertEqual(self.ask("POST", "users/9/read", body)[0], status, name)
        for seq in (0, -1, 2**63, "x", None, True):
            body = {"conversation": "u:1:2", "seq": seq}
            status, problem = self.ask("POST", "users/1/read", body)
            self.assertEqual(status, 400, seq)
            self.assertIn("seq", problem["detail"])
        self.assertEqual(self.store.moved, {})

    def test_presence(self) -> None:
        """
        The presence of each user of the request is shown, in the same order, whichever
        Connect the user is on.
        """
        self.link("edge", 7)
        _, got = self.ask("GET", "presence", users="8, 7")
        shown = [(p["user"], p["online"]) for p in got["presence"]]
        self.assertEqual(shown, [(8, False), (7, True)])
        _, got = self.ask("POST", "presence", {"users": ["7", 9]})
        shown = [(p["user"], p["online"]) for p in got["presence"]]
        self.assertEqual(shown, [(7, True), (9, False)])

    def test_presence_refused(self) -> None:
        """
        No users, too many users and malformed ids are refused.
        """
        for users in ("", "x", "0", "1,,2", ",".join(["1"] * 1001)):
            self.assertEqual(self.ask("GET", "presence", users=users)[0], 400)
        for many in ([0], [True], ["x"], [1] * 10_001, None):
            self.assertEqual(self.ask("POST", "presence", {"users": many})[0], 400)

    def test_kick(self) -> None:
        """
        All Connects are told to end a user's sessions, or that of one device; the
        answer has their number.
        """
        links = [self.link("one", 7), self.link("two")]
        answer = self.ask("DELETE", "users/7/sessions", reason="stolen")
        self.assertEqual(answer, (200, {"connects": 2}))
        self.ask("DELETE", "users/7/sessions/phone")
        for link in links:
            kicks = link.next_frame().batch.kicks
            self.assertEqual([k.user for k in kicks], [7, 7])
            self.assertEqual([k.device for k in kicks], ["", "phone"])
            self.assertEqual(kicks[0].reason, "stolen")
            self.assertIsNone(link.next_frame())

    def test_kick_waits(self) -> None:
        """
        A Connect whose stream is lost for a moment is told on the next stream.
        """
        link = self.link("one", 7)
        self.links.lost(link, link.stream, "test")
        answer = self.ask("DELETE", "users/7/sessions")
        self.assertEqual(answer, (200, {"connects": 0}))
        link.opened(lambda: None, lambda reason: None)
        self.assertEqual(len(link.next_frame().batch.kicks), 1)
        self.links.give_up_all()

    def test_kick_refused(self) -> None:
        """
        Malformed users, and devices or reasons that are too long, are refused.
        """
        self.assertEqual(self.ask("DELETE", "users/0/sessions")[0], 404)
        self.assertEqual(self.ask("DELETE", "users/1/sessions/")[0], 400)
        self.assertEqual(self.ask("DELETE", f"users/1/sessions/{'x' * 257}")[0], 400)
        long = {"reason": "x" * 257}
        self.assertEqual(self.ask("DELETE", "users/1/sessions", **long)[0], 400)

    def test_odd_users(self) -> None:
        """
        A path with a malformed user is not found.
        """
        for user in ("0", "-1", "x", str(2**63), "1.5", "é"):
            for path in ("conversations", "unread", "groups"):
                self.assertEqual(self.ask("GET", f"users/{user}/{path}")[0], 404)

    def test_tokens_revoked(self) -> None:
        """
        The tokens of a user are revoked before a time in seconds or milliseconds, or
        now.
        """
        for before, wanted in ((1_700_000_000, 1_700_000_000_000), (10**12, 10**12)):
            answer = self.ask("DELETE", "users/7/tokens", before=str(before))
            self.assertEqual(answer[0], 200)
            self.assertEqual(self.revoked.pop(), (7, wanted))
        self.ask("DELETE", "users/7/tokens")
        (_, before_ms) = self.revoked.pop()
        self.assertLess(abs(before_ms - time.time() * 1000), 60_000)
        self.assertEqual(self.ask("DELETE", "users/0/tokens")[0], 404)
        self.assertEqual(self.ask("DELETE", "users/7/tokens", before="soon")[0], 400)
        self.assertEqual(self.revoked, [])

    def test_sessions_revoked(self) -> None:
        """
        The end of a user's sessions revokes the tokens first, if it is asked to; a call
        with a mistake does neither.
        """
        self.ask("DELETE", "users/7/sessions", revoke="true")
        self.assertEqual([user for user, _ in self.revoked], [7])
        self.ask("DELETE", "users/7/sessions", revoke="false")
        for wrong in ({"revoke": "1"}, {"revoke": "true", "reason": "x" * 257}):
            self.assertEqual(self.ask("DELETE", "users/7/sessions", **wrong)[0], 400)
        self.assertEqual(len(self.revoked), 1)
