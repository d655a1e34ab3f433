"""
Row 11: conversations begun with strangers, and groups owned and joined, of each user.
"""

from __future__ import annotations

from typing import Any

from tests.message.ingress.user_limit_case import UserLimitCase
from wsmsg.errors import WsmsgError
from wsmsg.events.group_change import GROUP, GroupChange, encode_change
from wsmsg.message.limits.pending import LASTING_S
from wsmsg.model import TEXT, Message, group_conversation, group_of


class StrangerTests(UserLimitCase):
    """
    Conversations begun with strangers.
    """

    def known(self, conversation: str, sender: int) -> None:
        """
        Store a message of a conversation.
        """
        message = Message(conversation, sender, "old", 1, "hi", TEXT, 1, seq=1)
        self.store.insert([message], 1, [0])

    def test_an_hour(self) -> None:
        """
        A user begins at most so many conversations in an hour; the messages of those
        that were begun, by whomever, are not limited.
        """
        self.begin(strangers_per_h=2)
        self.known("u:1:50", 50)
        for n, other in enumerate((2, 3, 4, 50, 2)):
            self.send(f"c{n}", conversation=f"u:1:{other}")
        self.send("note", conversation="u:1:1")
        self.assertEqual(self.refused(), {"c2": "limit_reached"})
        error = self.answers["c2"]
        assert isinstance(error, WsmsgError)
        self.assertIn("limits.strangers_per_h", error.reason)
        self.send("again", conversation="u:1:4")
        self.assertIn("again", self.refused())
        self.send("theirs", sender=4, conversation="u:1:4")
        self.send("answer", conversation="u:1:4")
        self.assertEqual(set(self.refused()), {"c2", "again"})
        self.pass_time(3600)
        self.send("next", conversation="u:1:5")
        self.assertEqual(set(self.refused()), {"c2", "again"})

    def test_restart(self) -> None:
        """
        A restart of Message, or sending by another one, does not reset the number.
        """
        self.begin(strangers_per_h=2)
        for other in (2, 3):
            self.send(f"c{other}", conversation=f"u:1:{other}")
        self.store_appended()
        self.begin(strangers_per_h=2)
        self.send("c4", conversation="u:1:4")
        self.send("c2b", conversation="u:1:2")
        self.assertEqual(self.refused(), {"c4": "limit_reached"})

    def test_one_look_up(self) -> None:
        """
        A conversation costs one look-up, and later messages none.
        """
        self.begin(strangers_per_h=2)
        for n in range(20):
            self.send(f"c{n}")
        self.assertEqual(self.store.usage.calls, 1)
        self.assertIn("u:1:2", self.limits.quotas.known)

    def test_store_away(self) -> None:
        """
        While the store is away, messages between two users are accepted all the same.
        """
        self.begin(strangers_per_h=1)
        self.store.dependency.failed("away", 1.0)
        for other in (2, 3, 4):
            self.send(f"c{other}", conversation=f"u:1:{other}")
        self.assertEqual(self.refused(), {})


class GroupTests(UserLimitCase):
    """
    Groups owned and joined.
    """

    def create(self, client_id: str, owner: int, *others: int) -> str:
        """
        Have a user create a group.
        """
        name = group_conversation(group_of(owner, client_id))
        change = GroupChange(True, "crew", add=(owner, *others))
        self.send(
            client_id,
            owner,
            conversation=name,
            kind=GROUP,
            content=encode_change(change),
        )
        return name

    def change(self, client_id: str, by: int, name: str, **change: Any) -> None:
        """
        Have a user change a group.
        """
        content = encode_change(GroupChange(**change))
        self.send(client_id, by, conversation=name, kind=GROUP, content=content)

    def test_owned(self) -> None:
        """
        A user creates at most so many groups, whether the store has them yet or not.
        """
        self.begin(groups_owned=2)
        self.create("g1", 1)
        self.store_appended()
        self.create("g2", 1)
        self.create("g3", 1)
        self.create("h1", 2)
        self.assertEqual(self.refused(), {"g3": "limit_reached"})
        error = self.answers["g3"]
        assert isinstance(error, WsmsgError)
        self.assertIn("limits.groups_owned", error.reason)
        self.store_appended()
        self.create("g4", 1)
        self.create("g2", 1)  # a repeat
        self.assertEqual(set(self.refused()), {"g3", "g4"})

    def test_stored_counts_once(self) -> None:
        """
        A group counts once while and after it is stored.
        """
        self.begin(groups_owned=4, groups_joined=4)
        for n in range(4):
            self.create(f"g{n}", 1)
            self.store_appended()
        self.assertEqual(self.refused(), {})
        self.create("g4", 1)
        self.assertEqual(self.refused(), {"g4": "limit_reached"})

    def test_joined(self) -> None:
        """
        Nobody is made a member of more groups than the limit; who left one can join
        another.
        """
        self.begin(groups_joined=2)
        one = self.create("g1", 1, 7)
        self.create("g2", 2, 7)
        self.create("g3", 3, 7)
        self.assertEqual(self.refused(), {"g3": "limit_reached"})
        error = self.answers["g3"]
        assert isinstance(error, WsmsgError)
        self.assertIn("user 7", error.reason)
        self.assertIn("limits.groups_joined", error.reason)
        other = self.create("g4", 3)
        self.change("a1", 3, other, add=(7,))
        self.store_appended()
        self.change("a2", 3, other, add=(7,))
        self.assertEqual(set(self.refused()), {"g3", "a1", "a2"})
        self.change("r", 7, one, remove=(7,))
        self.store_appended()
        self.change("a3", 3, other, add=(7,))
        self.assertNotIn("a3", self.refused())

    def test_pending_expires(self) -> None:
        """
        A group that was allowed and never stored counts for a while only.
        """
        self.begin(groups_owned=1)
        self.create("g1", 1)
        self.journal.appends.clear()
        self.create("g2", 1)
        self.assertIn("g2", self.refused())
        self.pass_time(LASTING_S)
        self.create("h", 2)
        self.create("g3", 1)
        self.assertNotIn("g3", self.refused())
