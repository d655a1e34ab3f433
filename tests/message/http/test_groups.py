"""
Groups over HTTP.
"""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import fail

from tests.message.http.cases import ApiCase
from wsmsg.message.ingress.submit import STORED_S
from wsmsg.model import Message, group_of


class GroupCase(ApiCase):
    """
    Requests about groups.
    """

    def make(self, **more: object) -> Any:
        """
        Create a group of 1, 2 and 3.
        """
        body = {"client_id": "c", "owner": 1, "name": "crew", "members": [2, 3]}
        return self.ask("POST", "groups", {**body, **more})

    def members(self, group: str, **args: Any) -> list[int]:
        """
        Return the members of a group.
        """
        _, page = self.ask("GET", f"groups/{group}/members", **args)
        return [m["user"] for m in page["members"]]


class GroupCallsTests(GroupCase):
    """
    L{GroupCalls}.
    """

    def setUp(self) -> None:
        super().setUp()
        self.group = str(group_of(1, "c"))
        self.at = f"groups/{self.group}"

    def test_not_stored(self) -> None:
        """
        A group that was accepted and is not stored yet is unavailable, not missing.
        """
        read = {"conversation": "g:5", "seq": "1"}
        asked: list[tuple[str, str, Any]] = [
            ("GET", "groups/5", None),
            ("GET", "groups/5/members", None),
            ("POST", "users/1/read", read),
        ]
        for statuses in ((404, 404, 403), (503, 503, 503)):
            answers = [self.ask(method, path, body)[0] for method, path, body in asked]
            self.assertEqual(answers, list(statuses))
            self.not_stored.add("g:5")

    def test_make(self) -> None:
        """
        A request creates a group once, even if it is repeated, and the group can be
        read.
        """
        status, group = self.make()
        self.assertEqual(status, 201)
        self.assertEqual(group["group"], self.group)
        self.assertEqual(
            (group["name"], group["owner"], group["count"]), ("crew", 1, 3)
        )
        self.assertEqual(self.make(), (200, group))
        self.assertEqual(self.ask("GET", self.at), (200, group))
        self.assertEqual(self.members(self.group), [1, 2, 3])

    def test_make_another(self) -> None:
        """
        Another group with the same client id is a conflict.
        """
        self.make()
        status, problem = self.make(name="other")
        self.assertEqual((status, problem["code"]), (409, "conflict"))

    def test_ids_as_strings(self) -> None:
        """
        Users may be given as strings, and large ids are answered as strings.
        """
        big = str(2**60)
        _, group = self.make(owner=big, members=["2"])
        self.assertEqual(group["owner"], big)
        self.assertEqual(self.members(group["group"]), [2, big])

    def test_bad_bodies(self) -> None:
        """
        A request of another form is refused with the reason.
        """
        for more, word in (
            ({"name": ""}, "name"),
            ({"name": 7}, "name"),
            ({"client_id": ""}, "client_id"),
            ({"client_id": "x" * 65}, "client_id"),
            ({"owner": 0}, "owner"),
            ({"owner": "1.5"}, "owner"),
            ({"members": [-1]}, "user"),
            ({"members": list(range(2, 1003))}, "1000"),
            ({"colour": "red"}, "colour"),
        ):
            status, problem = self.make(**more)
            self.assertEqual(status, 400, more)
            self.assertIn(word, problem["detail"])
        for body in (b"", b"{", b"[]", b"\xff", b"[" * 9999):
            self.assertEqual(self.ask("POST", "groups", body)[0], 400)
        self.assertEqual(self.make(members=[2, 3, 4, 5, 6])[0], 413)
        self.assertEqual(self.journal.appends, [])

    def test_add(self) -> None:
        """
        Members are added in the owner's name; a repeated request changes nothing.
        """
        self.make()
        body = {"client_id": "a", "users": [4, 3]}
        status, group = self.ask("POST", f"{self.at}/members", body)
        self.assertEqual((status, group["count"]), (200, 4))
        self.assertEqual(self.ask("POST", f"{self.at}/members", body)[0], 200)
        self.assertEqual(self.members(self.group), [1, 2, 3, 4])

    def test_add_by_another(self) -> None:
        """
        A service that acts as a member has the rights of that member.
        """
        self.make()
        body = {"client_id": "a", "users": [4], "by": 2}
        status, problem = self.ask("POST", f"{self.at}/members", body)
        self.assertEqual((status, problem["code"]), (403, "forbidden"))

    def test_remove(self) -> None:
        """
        A member is removed, or leaves; removing a user who is not a member succeeds.
        """
        self.make()
        self.assertEqual(self.ask("DELETE", f"{self.at}/members/3"), (204, None))
        self.assertEqual(self.ask("DELETE", f"{self.at}/members/3"), (204, None))
        self.assertEqual(len(self.journal.appends), 2)
        leaving = self.ask("DELETE", f"{self.at}/members/2", by=2, client_id="x")
        self.assertEqual(leaving, (204, None))
        self.assertEqual(self.members(self.group), [1])
        again = self.ask("DELETE", f"{self.at}/members/2", by=2, client_id="x")
        self.assertEqual(again, (204, None))

    def test_remove_by_another(self) -> None:
        """
        Only the owner removes other members.
        """
        self.make()
        self.assertEqual(self.ask("DELETE", f"{self.at}/members/3", by=2)[0], 403)

    def test_members_by_pages(self) -> None:
        """
        Members are read page by page, each with the beginning of the next.
        """
        self.make(members=[2, 3, 4])
        seen, after = [], 0
        while after is not None:
            _, page = self.ask("GET", f"{self.at}/members", after=after, limit=2)
            seen += [m["user"] for m in page["members"]]
            self.assertEqual(page["count"], 4)
            after = page["next"]
        self.assertEqual(seen, [1, 2, 3, 4])
        for bad in ({"limit": "x"}, {"after": -1}, {"after": 2**63}):
            self.assertEqual(self.ask("GET", f"{self.at}/members", **bad)[0], 400)

    def test_groups_of_a_user(self) -> None:
        """
        A user's groups are listed, without conversations of two users.
        """
        self.make()
        row = Message("u:1:2", 1, "x", 9, "hi", 1, 5, 1)
        self.store.messages[row.identity] = row
        status, page = self.ask("GET", "users/1/groups")
        self.assertEqual((status, page["next"]), (200, None))
        self.assertEqual([g["group"] for g in page["groups"]], [self.group])
        self.assertEqual(page["groups"][0]["head"], 1)
        _, page = self.ask("GET", "users/1/groups", limit=1)
        self.assertTrue(page["next"])
        self.assertEqual(self.ask("GET", "users/1/groups", after="x")[0], 400)

    def test_nowhere(self) -> None:
        """
        Unknown groups are not found; unknown paths and methods are refused.
        """
        for method, path, status in (
            ("GET", "groups/5", 404),
            ("GET", "groups/x", 404),
            ("GET", "groups/5/members", 404),
            ("DELETE", "groups/5/members/1", 404),
            ("GET", "other", 404),
            ("GET", "users/0/groups", 404),
            ("PUT", "groups/5", 405),
            ("GET", "groups", 405),
        ):
            self.assertEqual(self.ask(method, path)[0], status, path)

    def test_waits_for_the_store(self) -> None:
        """
        The answer waits until the group can be read, but for a limited time: then it
        says that the request is accepted.
        """
        self.journal.delivers = False
        waiting = self.begin(
            "POST", "groups", {"client_id": "c", "owner": 1, "name": "crew"}
        )
        self.clock.advance(0.5)
        self.assertFalse(waiting.finished)
        self.clock.pump([0.1] * int(STORED_S * 10))
        self.assertEqual(self.end(waiting)[0], 202)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_client_leaves(self) -> None:
        """
        A request whose client has left leaves no timer behind.
        """
        self.journal.delivers = False
        waiting = self.begin(
            "POST", "groups", {"client_id": "c", "owner": 1, "name": "crew"}
        )
        waiting.processingFailed(Exception("gone"))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_refused_for_now(self) -> None:
        """
        A request that is refused for now is answered with the time to retry.
        """
        self.journal.refuses = True
        request = self.begin(
            "POST", "groups", {"client_id": "c", "owner": 1, "name": "crew"}
        )
        self.assertEqual(self.end(request)[0], 429)
        self.assertEqual(request.responseHeaders.getRawHeaders("retry-after"), ["2"])

    def test_bug(self) -> None:
        """
        A bug is logged, and its answer has no details.
        """
        self.store.group = lambda *a: fail(KeyError("a bug"))  # type: ignore[method-assign]
        status, problem = self.ask("GET", "groups/5")
        self.assertEqual((status, problem["code"]), (500, "internal"))
        self.assertEqual(len(self.flushLoggedErrors()), 1)

    @given(
        st.sampled_from(["GET", "POST", "DELETE"]),
        st.text("groups/members123{}%\ud83d", max_size=30),
        st.binary(max_size=50),
    )
    def test_anything(self, method: str, path: str, body: bytes) -> None:
        """
        Every request is answered, and none shows a bug.
        """
        status, _ = self.ask(method, path.replace("\ud83d", "é"), body)
        self.assertIn(status, (200, 400, 404, 405))
