"""
Tests for L{wsmsg.message.delivery.withholding}, in batches of delivery.
"""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from tests.message.doubles import MemoryStore
from tests.message.store.consent_contract import block
from tests.message.store.group_contract import CREW
from wsmsg.errors import Unavailable
from wsmsg.events.block import BLOCK, encode_block
from wsmsg.events.invitation import INVITATION, encode_invitation
from wsmsg.message.delivery.numbering import NumberedBatch, Numbering
from wsmsg.message.journal.interface import JournalEntry
from wsmsg.message.links.recipients import pushes_by_node, recipients
from wsmsg.message.links.routes import Routes
from wsmsg.model import TEXT, Message


def said(client_id: str, sender: int = 1, **more: object) -> Message:
    """
    Return a message of the conversation of 1 and 2 without a number.
    """
    kind, content = more.get("kind", TEXT), more.get("content", "hi")
    name = str(more.get("conversation", "u:1:2"))
    return Message(name, sender, client_id, 7, str(content), int(str(kind)), 5)


class WithholdingTests(SynchronousTestCase):
    """
    User 2 blocks user 1.
    """

    def setUp(self) -> None:
        self.store = MemoryStore()
        self.numbering = Numbering(self.store, lambda: 5, heads_cached=10)
        self.store.consent.apply(block(1, user=1))

    def begin(self, *messages: Message) -> Deferred[NumberedBatch]:
        entries = [JournalEntry(0, i, m, b"") for i, m in enumerate(messages)]
        return Deferred.fromCoroutine(self.numbering.store(entries))

    def deliver(self, *messages: Message) -> list[tuple[int, int]]:
        """
        Return the number of each message, and where its run of withheld ones began.
        """
        batch = self.successResultOf(self.begin(*messages))
        return [(m.seq, m.withheld) for m in batch.messages]

    def test_consent_run(self) -> None:
        """
        A run of withheld messages has the number of its first one, over batches and
        until the other user writes.
        """
        self.assertEqual(self.deliver(said("a"), said("b")), [(1, 1), (2, 1)])
        self.assertEqual(self.deliver(said("c")), [(3, 1)])
        self.assertEqual(
            self.deliver(said("d", 2), said("e"), said("f")), [(4, 0), (5, 5), (6, 5)]
        )

    def test_consent_of_others(self) -> None:
        """
        Messages of others, to oneself and in groups are not withheld.
        """
        found = self.deliver(
            said("a", 2),
            said("b", 3, conversation="u:2:3"),
            said("c", conversation="u:1:1"),
            said("d", conversation="u:1:3"),
        )
        self.assertEqual(found, [(1, 0)] * 4)

    def test_consent_repeat(self) -> None:
        """
        A record that is read again after the block ended stays withheld.
        """
        self.deliver(said("a"))
        self.store.consent.apply(block(2, user=1, on=False))
        self.assertEqual(self.deliver(said("a"), said("b")), [(1, 1), (2, 0)])

    def test_consent_in_one_batch(self) -> None:
        """
        A block acts from the batch after its own on.
        """
        self.store = MemoryStore()
        self.numbering = Numbering(self.store, lambda: 5, heads_cached=10)
        begun = encode_block(1, 0, True)
        mine = said("block", 2, kind=BLOCK, content=begun, conversation="u:2:2")
        self.assertEqual(self.deliver(mine, said("a")), [(1, 0), (1, 0)])
        self.assertEqual(self.deliver(said("b")), [(2, 2)])

    def test_consent_invitation(self) -> None:
        """
        An invitation to a group that the invited user has blocked is withheld.
        """
        group = int(CREW[2:])
        self.store.consent.apply(block(1, group=group, by=3))
        content = encode_invitation(group)
        found = self.deliver(
            said("i", kind=INVITATION, content=content, conversation="u:1:3"),
            said("m", conversation="u:1:3"),
        )
        self.assertEqual(found, [(1, 1), (2, 0)])

    def test_consent_pushes(self) -> None:
        """
        A withheld message is pushed to its sender alone, and is for nobody else.
        """
        batch = self.successResultOf(self.begin(said("a"), said("b", 2)))
        routes = Routes()
        routes.replace("n", [1, 2])
        pushes = pushes_by_node(batch.messages, None, routes, ["n"])["n"]
        self.assertEqual([sorted(users) for _, users in pushes], [[1], [1, 2]])
        self.assertEqual([list(recipients(m, None)) for m in batch.messages], [[], [1]])

    def test_consent_store_away(self) -> None:
        """
        Nothing is stored while the store cannot say who blocks whom.
        """
        self.deliver(said("x", 2))
        self.store.dependency.lost("gone")
        self.failureResultOf(self.begin(said("a")), Unavailable)
        self.store.dependency.succeeded()
        self.assertEqual(self.deliver(said("a")), [(2, 2)])
