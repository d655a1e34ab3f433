"""
Who is to have what is said in groups.
"""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from tests.message.doubles import MemoryStore
from tests.message.store.group_contract import CREW, changed, made
from wsmsg.errors import Unavailable
from wsmsg.events.recall import RECALL
from wsmsg.message.delivery.numbering import NumberedBatch, Numbering
from wsmsg.message.journal.interface import JournalEntry
from wsmsg.message.links.recipients import MemberCache
from wsmsg.model import RECALLED, Message


def said(client_id: str, *, sender: int = 1, conversation: str = CREW) -> Message:
    """
    A message in the crew that has no number yet.
    """
    return Message(conversation, sender, client_id, 7, "hi", 1, 5)


class AudienceTests(SynchronousTestCase):
    """
    Batches with messages in groups.
    """

    def setUp(self) -> None:
        self.store = MemoryStore()
        self.delivery = self.make()

    def make(self) -> Numbering:
        """
        A delivery that remembers nothing yet.
        """
        return Numbering(self.store, lambda: 5, heads_cached=10, members_cached=100)

    def deliver(self, *messages: Message) -> NumberedBatch:
        """
        Have a batch stored.
        """
        entries = [JournalEntry(0, i, m, b"") for i, m in enumerate(messages)]
        return self.successResultOf(
            Deferred.fromCoroutine(self.delivery.store(entries))
        )

    def audiences(self, *messages: Message) -> list[set[int]]:
        """
        Who is to have each message of a batch.
        """
        delivered = self.deliver(*messages)
        of = delivered.audiences
        return [set(of[m.conversation, m.seq]) for m in delivered.messages]

    def test_place_in_the_batch(self) -> None:
        """
        Each message goes to who is a member at its place; a change also to those who
        come and go with it.
        """
        batch = [
            made(2),
            said("a"),
            changed(50, add=[3]),
            said("b"),
            changed(51, remove=[2]),
            said("c"),
        ]
        self.assertEqual(
            self.audiences(*batch),
            [{1, 2}, {1, 2}, {1, 2, 3}, {1, 2, 3}, {1, 2, 3}, {1, 3}],
        )
        self.assertEqual(self.audiences(said("d")), [{1, 3}])

    def test_asked_once(self) -> None:
        """
        The store is asked for a group's members once, not for each batch, and
        nothing is carried out for messages that are no events.
        """
        self.deliver(made(2))
        self.delivery = self.make()
        self.store.lookups = 0
        self.store.applied.clear()
        self.deliver(said("a"))
        self.deliver(said("b"), said("c"))
        self.assertEqual((self.store.lookups, self.store.applied), (1, []))

    def test_two_users_cost_nothing(self) -> None:
        """
        A batch of conversations of two asks nothing more of the store than before.
        """
        delivered = self.deliver(said("a", conversation="u:1:2"))
        self.assertEqual(delivered.audiences, {})
        self.assertEqual((self.store.lookups, self.store.applied), (0, []))

    def test_given_again(self) -> None:
        """
        When the store fails before a change is carried out, the batch that is given
        again carries it out, and who came late does not have what was said before.
        """
        self.deliver(made(2))
        batch = [said("a"), changed(50, add=[3]), said("b")]
        self.store.fail_apply = True
        entries = [JournalEntry(0, i, m, b"") for i, m in enumerate(batch)]
        failing = Deferred.fromCoroutine(self.delivery.store(entries))
        self.failureResultOf(failing, Unavailable)
        self.store.fail_apply = False
        self.assertEqual(self.audiences(*batch), [{1, 2}, {1, 2, 3}, {1, 2, 3}])

    def test_old_change_again(self) -> None:
        """
        A change that is met again after later ones does not bring back what it said.
        """
        old = changed(50, remove=[2])
        self.deliver(made(2), old, changed(51, add=[2]))
        self.assertEqual(self.audiences(old)[0], {1, 2})
        self.assertEqual(self.audiences(said("a")), [{1, 2}])

    def test_removed_hears_of_it_again(self) -> None:
        """
        Who was removed has the change that says so, also when it is given again.
        """
        batch = [changed(50, remove=[2]), said("a")]
        self.deliver(made(2))
        self.deliver(*batch)
        self.assertEqual(self.audiences(*batch), [{1, 2}, {1}])

    def test_forgotten(self) -> None:
        """
        When partitions went elsewhere, members are asked for again.
        """
        self.deliver(made(2))
        self.store.groups[CREW][2][9] = 5
        self.delivery.forget()
        self.assertEqual(self.audiences(said("a")), [{1, 2, 9}])

    def test_forgotten_meanwhile(self) -> None:
        """
        What a batch under way has learned is forgotten with the rest.
        """
        self.deliver(made(2))
        members = self.store.members

        def revoked(names: list[str]) -> Deferred[dict[str, frozenset[int]]]:
            self.delivery.forget()
            return members(names)

        self.delivery.forget()
        self.store.members = revoked  # type: ignore[method-assign, assignment]
        self.assertEqual(self.audiences(said("a")), [{1, 2}])
        self.assertIsNone(self.delivery.members.cached(CREW))

    def test_recall(self) -> None:
        """
        A recall is carried out before anybody is told, and goes to all members.
        """
        self.deliver(made(2), said("a"))
        delivered = self.deliver(Message(CREW, 1, "r", 8, "2", RECALL, 5))
        self.assertEqual(delivered.audiences, {(CREW, 3): {1, 2}})
        (again,) = self.deliver(said("a")).messages
        self.assertEqual((again.kind, again.content), (RECALLED, ""))
        self.assertEqual(self.delivery.events, 2)


class MembersTests(SynchronousTestCase):
    """
    What is remembered of groups.
    """

    def test_bound(self) -> None:
        """
        The groups that were used last are kept, as long as all of their members are
        within the bound.
        """
        members = MemberCache(MemoryStore(), limit=10)
        members.remember({"g:1": frozenset(range(4)), "g:2": frozenset(range(3))})
        self.assertEqual(members.size, 9)
        members.remember({"g:1": frozenset(range(5))})
        self.assertEqual(members.size, 10)
        members.remember({"g:3": frozenset()})
        self.assertIsNone(members.cached("g:2"))
        self.assertEqual(members.cached("g:1"), set(range(5)))
        members.forget(["g:1", "g:2"])
        self.assertEqual(members.size, 1)
        members.clear()
        self.assertEqual(members.size, 0)
