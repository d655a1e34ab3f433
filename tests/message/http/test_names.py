"""
Names of users, and keys of groups, over HTTP.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from tests.connect.names.doubles import number
from tests.message.http.cases import ApiCase
from wsmsg.model import conversation_of
from wsmsg.names import FIRST, group_of_key

MAIL = "anna@example.org"
ANNA, BERTA = number(MAIL), number("berta")


class NamesCase(ApiCase):
    """
    The API where users have names.
    """

    named = True

    def create(self, *names: str) -> Any:
        """
        Create names.
        """
        return self.ask("PUT", "names", {"names": list(names)})


class NamesTests(NamesCase):
    """
    L{wsmsg.message.http.names}.
    """

    def setUp(self) -> None:
        super().setUp()
        self.assertEqual(self.create(MAIL, "berta")[0], 200)

    def test_look_up(self) -> None:
        """
        A service looks names up both ways, and creates them once.
        """
        status, found = self.create(MAIL, "carl", "1001")
        self.assertEqual(status, 200)
        self.assertEqual(found["users"], [ANNA, number("carl"), 1001])
        self.assertEqual(found["names"], {str(ANNA): MAIL, str(number("carl")): "carl"})
        asked = {"names": ["Berta", "berta"], "users": [ANNA, 7]}
        _, found = self.ask("POST", "names", asked)
        self.assertEqual(found["users"], [0, BERTA])
        self.assertEqual(found["unknown"], ["Berta"])
        self.assertEqual(found["names"], {str(ANNA): MAIL, str(BERTA): "berta"})

    def test_refused_names(self) -> None:
        """
        A text that cannot be a name is refused, with the reason, and creates nothing.
        """
        before = dict(self.store.names.users)
        for name, word in (
            ("", "0 bytes"),
            ("n" * 129, "129 bytes"),
            ("a\x00", "U+0000"),
            ("a\u202eb", "U+202E"),
            ("e\u0301", "NFC"),
            (" a", "space"),
            ("007", "number"),
            ("-1", "number"),
            ("\u0661\u0662", "number"),
            (str(2**63), "number"),
        ):
            status, problem = self.create("dora", name)
            self.assertEqual(status, 400, name)
            self.assertIn(word, problem["detail"])
        self.assertEqual(self.store.names.users, before)
        many = [f"user-{n}" for n in range(1001)]
        self.assertEqual(self.create(*many)[0], 400)

    def test_send_and_read(self) -> None:
        """
        Messages are sent by name and by number alike, and what is read has the names.
        """
        status, sent = self.send("a", **{"from": MAIL, "to": "berta"})
        self.assertEqual(status, 201)
        name = conversation_of(ANNA, BERTA)
        self.assertEqual(sent["conversation"], name)
        self.assertEqual(sent["names"], {str(ANNA): MAIL, str(BERTA): "berta"})
        again = self.send("a", **{"from": ANNA, "to": str(BERTA)})
        self.assertEqual((again[0], again[1]["message_id"]), (200, sent["message_id"]))
        at = f"conversations/{name}/messages"
        _, page = self.ask("GET", at, user=MAIL)
        self.assertEqual(page["messages"][0]["from"], ANNA)
        self.assertEqual(page["names"], {str(ANNA): MAIL})
        _, listed = self.ask("GET", "users/berta/conversations")
        self.assertEqual(listed["names"], {str(ANNA): MAIL, str(BERTA): "berta"})

    def test_path(self) -> None:
        """
        A name stands in a path, escaped where a URL asks for it.
        """
        self.create("a/b c?")
        self.send("a", **{"from": MAIL, "to": "a/b c?"})
        at = f"users/{quote('a/b c?', safe='')}/unread"
        status, counts = self.ask("GET", at)
        self.assertEqual((status, counts["total"]), (200, 1))

    def test_described(self) -> None:
        """
        The description of the API says where a name may stand for a number.
        """
        _, document = self.ask("GET", "openapi.json")
        path = document["paths"]["/api/v1/users/{user}/unread"]["get"]
        user = next(p for p in path["parameters"] if p["name"] == "user")
        self.assertEqual(user["schema"]["type"], "string")
        self.assertIn("or its name", user["description"])
        read = document["paths"]["/api/v1/conversations/{conversation}/messages"]
        schemas = {p["name"]: p["schema"] for p in read["get"]["parameters"]}
        self.assertEqual(schemas["user"]["type"], "string")
        self.assertEqual(schemas["after"]["type"], "integer")

    def test_nobody_has_the_name(self) -> None:
        """
        A name that nobody has is not found, wherever it stands, and nothing is created.
        """
        asked: list[tuple[str, str, Any]] = [
            ("GET", "users/nobody/unread", None),
            ("DELETE", "users/nobody/tokens", None),
            ("POST", "presence", {"users": ["berta", "nobody"]}),
            (
                "POST",
                "messages",
                {"client_id": "x", "from": MAIL, "to": "nobody", "content": "x"},
            ),
            (
                "POST",
                "groups",
                {
                    "client_id": "x",
                    "owner": MAIL,
                    "name": "x",
                    "members": ["nobody", "none"],
                },
            ),
        ]
        for method, path, body in asked:
            status, problem = self.ask(method, path, body)
            self.assertEqual(status, 404, path)
            self.assertIn("no user has the name 'nobody'", problem["detail"])
        self.assertEqual(self.store.messages, {})

    def test_presence(self) -> None:
        """
        Presence is asked for by name in both forms of the call.
        """
        self.link("edge", BERTA)
        for got in (
            self.ask("GET", "presence", users="berta, 7"),
            self.ask("GET", "presence", users="berta, 7", asker=MAIL),
            self.ask("POST", "presence", {"users": ["berta", 7]}),
            self.ask("POST", "presence", {"users": ["berta", 7], "asker": MAIL}),
        ):
            shown = [(p["user"], p["online"]) for p in got[1]["presence"]]
            self.assertEqual(shown, [(BERTA, True), (7, False)])
            self.assertEqual(got[1]["names"], {str(BERTA): "berta"})

    def test_tokens(self) -> None:
        """
        Tokens are revoked by name.
        """
        self.ask("DELETE", f"users/{MAIL}/tokens", before=1700000000)
        self.assertEqual(self.revoked, [(ANNA, 1700000000000)])

    def test_users_with_numbers(self) -> None:
        """
        Users with numbers go on as before, and have no names in answers.
        """
        status, sent = self.send("a")
        self.assertEqual((status, sent["conversation"]), (201, "u:1:2"))
        self.assertNotIn("names", sent)
        self.assertEqual(self.ask("GET", "users/2/unread")[1]["total"], 1)

    def test_number_without_a_name(self) -> None:
        """
        A number that could be given to a name, and is not, is a user without a name.
        """
        _, sent = self.send("a", to=FIRST + 1)
        self.assertNotIn("names", sent)

    def test_one_look_up(self) -> None:
        """
        All names of a request are one look-up, and those of the answer another.
        """
        before = self.store.names.asked
        self.send("a", **{"from": MAIL, "to": "berta"})
        self.assertEqual(self.store.names.asked, before + 2)

    def test_away(self) -> None:
        """
        While the store is away, a call with a name is C{unavailable}.
        """
        self.store.names.away = True
        status, problem = self.ask("GET", "users/berta/unread")
        self.assertEqual((status, problem["code"]), (503, "unavailable"))


class KeyTests(NamesCase):
    """
    Groups with an id of the application.
    """

    def setUp(self) -> None:
        super().setUp()
        self.create(MAIL, "berta")

    def make(self, **more: object) -> Any:
        """
        Create a group.
        """
        body = {"client_id": "c", "owner": MAIL, "name": "crew", "key": "room/7"}
        return self.ask("POST", "groups", {**body, **more})

    def test_key(self) -> None:
        """
        A group is found by its key, and sent to by it.
        """
        status, made = self.make(members=["berta"])
        number = str(group_of_key("room/7"))
        self.assertEqual((status, made["group"], made["key"]), (201, number, "room/7"))
        self.assertEqual(made["names"], {str(ANNA): MAIL})
        key = quote("room/7", safe="")
        _, shown = self.ask("GET", f"groups/{key}")
        self.assertEqual((shown["key"], shown["count"]), ("room/7", 2))
        _, members = self.ask("GET", f"groups/{key}/members")
        self.assertEqual({m["user"] for m in members["members"]}, {ANNA, BERTA})
        self.assertEqual(members["names"], {str(ANNA): MAIL, str(BERTA): "berta"})
        new = {"client_id": "m", "from": "berta", "group": "room/7", "content": "x"}
        _, sent = self.ask("POST", "messages", new)
        self.assertEqual(sent["conversation"], f"g:{number}")
        gone = self.ask("DELETE", f"groups/{key}/members/berta")
        self.assertEqual(gone[0], 204)
        self.assertEqual(self.ask("GET", "groups/room-8")[0], 404)

    def test_key_that_is_taken(self) -> None:
        """
        A repeated request creates the same group; another request with its key, of
        whatever owner, is a conflict.
        """
        self.assertEqual(self.make()[0], 201)
        status, again = self.make()
        self.assertEqual((status, again["key"]), (200, "room/7"))
        for other in ({"client_id": "d"}, {"owner": "berta"}, {"owner": 9}):
            status, problem = self.make(**other)
            self.assertEqual((status, problem["code"]), (409, "conflict"), other)
        self.assertEqual(self.make(client_id="d", key="room/8")[0], 201)

    def test_refused_keys(self) -> None:
        """
        A key is of the form of a name.
        """
        for key in ("k" * 129, "a\nb", "e\u0301", "007"):
            status, problem = self.make(key=key)
            self.assertEqual(status, 400, key)
            self.assertIn("the key", problem["detail"])


class ConsentTests(NamesCase):
    """
    Blocks and invitations, and the calls that end sessions, by name.
    """

    def setUp(self) -> None:
        super().setUp()
        self.assertEqual(self.create(MAIL, "berta")[0], 200)

    def test_blocks(self) -> None:
        """
        A user is blocked by name, and the list has the names; so has the event.
        """
        body = {"client_id": "b1", "user": "berta"}
        status, _ = self.ask("POST", f"users/{MAIL}/blocks", body)
        self.assertEqual(status, 204)
        _, listed = self.ask("GET", f"users/{MAIL}/blocks")
        self.assertEqual([b["user"] for b in listed["blocks"]], [BERTA])
        self.assertEqual(listed["names"], {str(BERTA): "berta"})
        own = conversation_of(ANNA, ANNA)
        _, page = self.ask("GET", f"conversations/{own}/messages", user=MAIL)
        self.assertEqual(page["names"], {str(ANNA): MAIL, str(BERTA): "berta"})
        end = {"client_id": "b2", "user": str(BERTA), "on": False}
        self.assertEqual(self.ask("POST", f"users/{MAIL}/blocks", end)[0], 204)
        _, listed = self.ask("GET", f"users/{MAIL}/blocks")
        self.assertEqual(listed, {"blocks": [], "next": None})
        nobody = {"client_id": "b3", "user": "nobody"}
        status, problem = self.ask("POST", f"users/{MAIL}/blocks", nobody)
        self.assertEqual(status, 404)
        self.assertIn("'nobody'", problem["detail"])

    def test_invitations(self) -> None:
        """
        A user is invited by name to a group by its key, and accepts.
        """
        made = {"client_id": "g", "owner": MAIL, "name": "Crew", "key": "room"}
        self.assertEqual(self.ask("POST", "groups", made)[0], 201)
        body = {"client_id": "i", "user": "berta", "by": MAIL}
        self.assertEqual(self.ask("POST", "groups/room/invitations", body)[0], 204)
        answer = {"client_id": "a", "accept": True}
        status, _ = self.ask("POST", "users/berta/invitations/room", answer)
        self.assertEqual(status, 204)
        _, members = self.ask("GET", "groups/room/members")
        self.assertEqual({m["user"] for m in members["members"]}, {ANNA, BERTA})

    def test_sessions_and_tokens(self) -> None:
        """
        Tokens are revoked, and sessions ended, by the name in the path.
        """
        status, _ = self.ask("DELETE", f"users/{MAIL}/tokens", before="1600000000")
        self.assertEqual(status, 200)
        self.assertEqual(self.revoked, [(ANNA, 1600000000000)])
        link = self.link("edge", BERTA)
        for path in ("users/berta/sessions", "users/berta/sessions/phone"):
            status, ended = self.ask("DELETE", path)
            self.assertEqual((status, ended["connects"]), (200, 1), path)
        self.assertTrue(link)


class OffTests(ApiCase):
    """
    The API without C{users.names}.
    """

    def test_off(self) -> None:
        """
        Names are refused as before, and calls about names and keys say why.
        """
        status, problem = self.ask("POST", "names", {"names": ["anna"]})
        self.assertEqual((status, problem["code"]), (501, "unsupported"))
        self.assertIn("users.names", problem["detail"])
        body = {"client_id": "c", "owner": 1, "name": "crew", "key": "room"}
        status, problem = self.ask("POST", "groups", body)
        self.assertEqual(status, 400)
        self.assertIn("users.names", problem["detail"])
        self.assertEqual(self.send("a", to="anna")[0], 400)
        self.assertEqual(self.ask("GET", "users/anna/unread")[0], 404)

    def test_described(self) -> None:
        """
        The description of the API takes numbers alone.
        """
        _, document = self.ask("GET", "openapi.json")
        path = document["paths"]["/api/v1/users/{user}/unread"]["get"]
        user = next(p for p in path["parameters"] if p["name"] == "user")
        self.assertEqual(user["schema"]["type"], "integer")

    def test_no_key(self) -> None:
        """
        A group without a key has no C{key} in answers.
        """
        body = {"client_id": "c", "owner": 1, "name": "crew"}
        _, made = self.ask("POST", "groups", body)
        _, listed = self.ask("GET", "users/1/groups")
        self.assertNotIn("key", made)
        self.assertNotIn("key", listed["groups"][0])
