"""
Tests for L{wsmsg.message.links.recipients}, and of their use in delivery.
"""

from __future__ import annotations

from collections.abc import Sequence

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from tests.message.doubles import MemoryStore
from tests.message.store.group_contract import CREW, changed, event, made
from wsmsg.errors import Unavailable
from wsmsg.events.group_change import GROUP, GroupChange, encode_change
from wsmsg.events.recall import RECALL
from wsmsg.message.delivery.numbering import NumberedBatch, Numbering
from wsmsg.message.journal.interface import JournalEntry
from wsmsg.message.links.recipients import MemberCache, Standing
from wsmsg.model import RECALLED, Message

_SWAP = encode_change(GroupChange(add=(3,), remove=(4,)))


def said(client_id: str, *, sender: int = 1, conversation: str = CREW) -> Message:
    """
    Return a message in the crew that has no seq yet.
    """
    return Message(conversation, sender, client_id, 7, "hi", 1, 5)


class RecipientsTests(SynchronousTestCase):
    """
    Batches with messages in groups.
    """

    def setUp(self) -> None:
        self.store = MemoryStore()
        self.delivery = self.make()

    def make(self) -> Numbering:
        """
        Make a delivery with an empty cache.
        """
        return Numbering(self.store, lambda: 5, heads_cached=10, members_cached=100)

    def deliver(self, *messages: Message) -> NumberedBatch:
        """
        Store a batch.
        """
        entries = [JournalEntry(0, i, m, b"") for i, m in enumerate(messages)]
        return self.successResultOf(
            Deferred.fromCoroutine(self.delivery.store(entries))
        )

    def recipients(self, *messages: Message) -> list[set[int]]:
        """
        Return the recipients of each message of a batch.
        """
        delivered = self.deliver(*messages)
        of = delivered.recipients
        return [set(of[m.conversation, m.seq]) for m in delivered.messages]

    def test_place_in_the_batch(self) -> None:
        """
        Each message goes to the members at its seq; a change also goes to the users
        whom it adds or removes.
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
            self.recipients(*batch),
            [{1, 2}, {1, 2}, {1, 2, 3}, {1, 2, 3}, {1, 2, 3}, {1, 3}],
        )
        self.assertEqual(self.recipients(said("d")), [{1, 3}])

    def test_asked_once(self) -> None:
        """
        The members of a group are read once from the store, not for each batch, and
        messages that are not events are not applied.
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
        A batch of conversations of two causes no further reads.
        """
        delivered = self.deliver(said("a", conversation="u:1:2"))
        self.assertEqual(delivered.recipients, {})
        self.assertEqual((self.store.lookups, self.store.applied), (0, []))

    def test_given_again(self) -> None:
        """
        If the store fails before it applies a change, the repeated batch applies it,
        and a user who joined later does not receive earlier messages.
        """
        self.deliver(made(2))
        batch = [said("a"), changed(50, add=[3]), said("b")]
        self.store.fail_apply = True
        entries = [JournalEntry(0, i, m, b"") for i, m in enumerate(batch)]
        failing = Deferred.fromCoroutine(self.delivery.store(entries))
        self.failureResultOf(failing, Unavailable)
        self.store.fail_apply = False
        self.assertEqual(self.recipients(*batch), [{1, 2}, {1, 2, 3}, {1, 2, 3}])

    def test_old_change_again(self) -> None:
        """
        A change that is delivered again after later ones does not undo these.
        """
        old = changed(50, remove=[2])
        self.deliver(made(2), old, changed(51, add=[2]))
        self.assertEqual(self.recipients(old)[0], {1, 2})
        self.assertEqual(self.recipients(said("a")), [{1, 2}])

    def test_removed_hears_of_it_again(self) -> None:
        """
        A removed user receives the change that removed them, also when it is delivered
        again.
        """
        batch = [changed(50, remove=[2]), said("a")]
        self.deliver(made(2))
        self.deliver(*batch)
        self.assertEqual(self.recipients(*batch), [{1, 2}, {1}])

    def test_read_again_before_a_change(self) -> None:
        """
        A message that is delivered again, in a batch without the change that follows
        it, goes to the members at its seq: not to a user who joined later, and to one
        who was removed later.
        """
        crew = made(2, 4)
        change = event(0, GROUP, _SWAP, CREW, 1)
        self.deliver(crew, said("a"), change)
        self.delivery = self.make()
        self.assertEqual(self.recipients(crew, said("a")), [{1, 2, 4}] * 2)
        self.assertEqual(self.recipients(change), [{1, 2, 3, 4}])
        self.assertEqual(self.recipients(said("b")), [{1, 2, 3}])

    def test_old_message_again(self) -> None:
        """
        A single old message that is delivered again, among new ones, goes to the
        members at its seq, and the new ones to those at theirs.
        """
        self.deliver(made(2), said("a"), changed(50, add=[3]), said("b"))
        self.assertEqual(self.recipients(said("a"), said("c")), [{1, 2}, {1, 2, 3}])
        self.assertEqual(self.recipients(said("d")), [{1, 2, 3}])

    def test_forgotten(self) -> None:
        """
        Members are read again after the partitions have moved to another Message.
        """
        self.deliver(made(2))
        self.store.groups[CREW][2][9] = 1
        self.delivery.forget()
        self.assertEqual(self.recipients(said("a")), [{1, 2, 9}])

    def test_forgotten_meanwhile(self) -> None:
        """
        Members that a batch in progress has read are forgotten as well.
        """
        self.deliver(made(2))
        members_at = self.store.members_at

        def revoked(
            places: Sequence[tuple[str, int]],
        ) -> Deferred[dict[tuple[str, int], frozenset[int]]]:
            self.delivery.forget()
            return members_at(places)

        self.delivery.forget()
        self.store.members_at = revoked  # type: ignore[method-assign]
        self.assertEqual(self.recipients(said("a")), [{1, 2}])
        self.assertIsNone(self.delivery.members.cached(CREW))

    def test_recall(self) -> None:
        """
        A recall is applied before it is pushed, and goes to all members.
        """
        self.deliver(made(2), said("a"))
        delivered = self.deliver(Message(CREW, 1, "r", 8, "2", RECALL, 5))
        self.assertEqual(delivered.recipients, {(CREW, 3): {1, 2}})
        (again,) = self.deliver(said("a")).messages
        self.assertEqual((again.kind, again.content), (RECALLED, ""))
        self.assertEqual(self.delivery.events, 2)


class MemberCacheTests(SynchronousTestCase):
    """
    The cache of members.
    """

    def test_bound(self) -> None:
        """
        The cache keeps the groups that were used last, within the limit of members.
        """
        members = MemberCache(MemoryStore(), limit=10)
        members.remember(
            {
                "g:1": Standing(1, frozenset(range(4))),
                "g:2": Standing(1, frozenset(range(3))),
            }
        )
        self.assertEqual(members.size, 9)
        members.remember({"g:1": Standing(2, frozenset(range(5)))})
        self.assertEqual(members.size, 10)
        members.remember({"g:3": Standing(1, frozenset())})
        self.assertIsNone(members.cached("g:2"))
        self.assertEqual(members.cached("g:1"), set(range(5)))
        members.forget(["g:1", "g:2"])
        self.assertEqual(members.size, 1)
        members.clear()
        self.assertEqual(members.size, 0)
