"""
Groups that the store does not know, or does not know all members of.
"""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from tests.message.doubles import rules_by
from tests.message.ingress.group_case import GroupCase
from tests.message.store.group_contract import CREW
from wsmsg.events.group_change import GROUP, GroupChange, encode_change
from wsmsg.message.cluster.message_ids import MessageIds
from wsmsg.message.ingress.ingress import Ingress
from wsmsg.message.log.appends import Appends
from wsmsg.model import Message, group_conversation, group_of


class UnknownGroupTests(GroupCase):
    """
    Sends to such groups, and reads.
    """

    def test_unknown_group(self) -> None:
        """
        A send to a group that the store does not know is refused for a time only, as
        another Message may have accepted its creation; after two minutes it is
        refused for good.
        """
        self.send("a", to="g:8")
        self.now += 119_000
        self.send("b", sender=2, to="g:8")
        self.assertEqual(self.codes(), {"a": "unavailable", "b": "unavailable"})
        self.now += 2_000
        self.send("c", sender=3, to="g:8")
        self.assertEqual(self.codes()["c"], "forbidden")

    def test_unknown_group_alone(self) -> None:
        """
        A send to such a group is refused for good at once if no other Message can have
        accepted it.
        """
        self.ingress = self.alone()
        self.send("a", to="g:8")
        self.assertEqual(self.codes(), {"a": "forbidden"})

    def alone(self) -> Ingress:
        """
        Return the ingress of a Message that has the store for itself.
        """
        return Ingress(
            Appends(self.journal, self.store, Clock()),
            self.store,
            MessageIds(self.now_ms),
            self.now_ms,
            rules=rules_by(self.store, self.now_ms, shared=False),
            limit=20,
            content_bytes=100,
        )

    def test_accepted_by_another_message(self) -> None:
        """
        A group that another Message accepted, and that is not stored yet, can be used
        here once it is stored: what its creator sends before is refused for a time.
        """
        change = GroupChange(True, "team", False, (1, 2))
        group = group_conversation(group_of(1, "make"))
        made = Message(group, 1, "make", 9, encode_change(change), GROUP, 5, 1)
        self.send("early", to=group)
        change = GroupChange(remove=(2,))
        self.send("leave", encode_change(change), GROUP, sender=2, to=group)
        codes = {"early": "unavailable", "leave": "unavailable"}
        self.assertEqual(self.codes(), codes)
        self.answers.clear()
        self.successResultOf(self.store.insert([made], 5, [0]))
        self.now += 2_000
        self.send("stranger", sender=3, to=group)
        self.send("early", to=group)
        codes = {"stranger": "forbidden", "early": "accepted"}
        self.assertEqual(self.codes(), codes)

    def waits(self, conversation: str, user: int) -> bool:
        asking = self.ingress.may_be_unstored(conversation, user)
        return self.successResultOf(Deferred.fromCoroutine(asking))

    def store_new(self, group: str) -> None:
        """
        Store the creation of a group, without its members.
        """
        change = GroupChange(True, "new", False, (1, 2))
        made = Message(group, 1, "make", 9, encode_change(change), GROUP, self.now, 1)
        self.store.messages[made.identity] = made
        self.store.groups[group] = (change, 1, {})

    def test_reads_of_an_unknown_group(self) -> None:
        """
        Readers wait for a group that the store does not know: for two minutes if
        another Message may have accepted it, and until it is stored if this one has.
        """
        self.assertFalse(self.waits(CREW, 9))
        self.assertTrue(self.waits("g:8", 9))
        group = self.make("make", 2)
        self.now += 121_000
        self.assertFalse(self.waits("g:8", 9))
        again = self.make("again", 2)
        self.assertTrue(self.waits(again, 2) and self.waits(again, 0))
        self.assertFalse(self.waits(again, 9))
        self.store_new(group)
        self.now += 6000
        self.assertFalse(self.waits(group, 2))

    def test_reads_of_an_unknown_group_alone(self) -> None:
        """
        Without other Messages they wait only for what this one has accepted.
        """
        self.ingress = self.alone()
        self.assertFalse(self.waits("g:8", 9))
        self.assertTrue(self.waits(self.make("make", 2), 2))

    def test_group_without_all_members(self) -> None:
        """
        Whoever a new group is made of is refused for a time only, as the store may
        learn of the group before it learns of its members; strangers are refused.
        """
        group = group_conversation(group_of(1, "make"))
        self.store_new(group)
        self.send("member", sender=2, to=group)
        self.send("stranger", sender=9, to=group)
        codes = {"member": "unavailable", "stranger": "forbidden"}
        self.assertEqual(self.codes(), codes)
        self.assertEqual([self.waits(group, user) for user in (2, 9)], [True, False])
        self.now += 20_000
        self.send("later", sender=2, to=group)
        self.assertEqual(self.code("later"), "forbidden")
        self.assertFalse(self.waits(group, 2))
