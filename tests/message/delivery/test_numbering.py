"""
Numbering and storing, with repeats and with other owners at work.
"""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from tests.message.doubles import ManualJournal, MemoryStore
from wsmsg.errors import Unavailable
from wsmsg.message.delivery.numbering import NumberedBatch, Numbering
from wsmsg.message.journal.interface import IJournal, JournalEntry
from wsmsg.message.store.interface import IMessageStore
from wsmsg.model import Message


def message(
    client_id: str, conversation: str = "u:1:2", content: str = "hi"
) -> Message:
    """
    A message from user 1 without a seq.
    """
    return Message(conversation, 1, client_id, 7, content, 1, 5)


def entries(*messages: Message) -> list[JournalEntry]:
    """
    Return journal entries of these messages.
    """
    return [JournalEntry(0, i, m, b"") for i, m in enumerate(messages)]


class NumberingTests(SynchronousTestCase):
    """
    Batches of journal records, numbered and stored.
    """

    def setUp(self) -> None:
        self.store = MemoryStore()
        self.numbering = Numbering(self.store, lambda: 5, heads_cached=10)

    def deliver(self, *messages: Message, by: Numbering | None = None) -> NumberedBatch:
        numbering = by or self.numbering
        return self.successResultOf(
            Deferred.fromCoroutine(numbering.store(entries(*messages)))
        )

    def seqs(self, delivered: NumberedBatch) -> list[tuple[str, int]]:
        return [(m.client_id, m.seq) for m in delivered.messages]

    def test_doubles(self) -> None:
        """
        The test doubles provide the interfaces that they stand for.
        """
        verifyObject(IMessageStore, self.store)
        verifyObject(IJournal, ManualJournal())

    def test_numbers(self) -> None:
        """
        Each conversation is numbered 1, 2, 3 ... in the journal's order.
        """
        delivered = self.deliver(message("a"), message("b", "u:1:3"), message("c"))
        self.assertEqual(self.seqs(delivered), [("a", 1), ("b", 1), ("c", 2)])
        self.assertEqual(self.seqs(self.deliver(message("d"))), [("d", 3)])

    def test_one_round_trip(self) -> None:
        """
        New messages of cached conversations cost one insert.
        """
        self.deliver(message("a"))
        before = self.store.inserts
        self.deliver(*(message(str(i)) for i in range(100)))
        self.assertEqual(self.store.inserts, before + 1)

    def test_repeat_in_a_batch(self) -> None:
        """
        A record that is in a batch twice is stored and pushed once.
        """
        delivered = self.deliver(message("a"), message("a"), message("b"))
        self.assertEqual(self.seqs(delivered), [("a", 1), ("b", 2)])

    def test_repeat_of_a_stored_one(self) -> None:
        """
        A record that was stored before is pushed again with its seq, in case the push
        was lost when Message died.
        """
        self.deliver(message("a"), message("b"))
        again = Numbering(self.store, lambda: 5, heads_cached=10)
        delivered = self.deliver(message("a"), message("b"), message("c"), by=again)
        self.assertEqual(self.seqs(delivered), [("a", 1), ("b", 2), ("c", 3)])
        self.assertEqual(again.repeats, 2)

    def test_conflict(self) -> None:
        """
        A message with the client id of another one becomes a dead letter; the first one
        stays.
        """
        self.deliver(message("a"))
        delivered = self.deliver(message("a", content="other"), message("b"))
        [(entry, reason)] = delivered.dead_letters
        self.assertIn("conflict", reason)
        self.assertEqual(entry.offset, 0)
        self.assertEqual(self.seqs(delivered), [("a", 1), ("b", 2)])
        self.assertEqual(delivered.messages[0].content, "hi")
        self.assertEqual(len(self.flushLoggedErrors()), 0)

    def test_another_owner(self) -> None:
        """
        A seq that another owner took is not used again, and no seq is skipped.
        """
        self.deliver(message("a"))
        self.store.rivals = [message("x").numbered(2), message("y").numbered(3)]
        delivered = self.deliver(message("b"), message("c"))
        self.assertEqual(self.seqs(delivered), [("b", 4), ("c", 5)])

    def test_refused(self) -> None:
        """
        A message that the store refuses becomes a dead letter, and leaves no hole in
        the seqs.
        """
        self.store.refuse = {"bad"}
        delivered = self.deliver(
            message("a"), message("b", content="bad"), message("c")
        )
        self.assertEqual(self.seqs(delivered), [("a", 1), ("c", 2)])
        self.assertEqual([e.offset for e, _ in delivered.dead_letters], [1])

    def test_undecodable(self) -> None:
        """
        A record that cannot be decoded becomes a dead letter, with its problem.
        """
        entry = JournalEntry(0, 0, None, b"?", "no record")
        delivered = self.successResultOf(
            Deferred.fromCoroutine(self.numbering.store([entry]))
        )
        self.assertEqual(delivered.dead_letters, [(entry, "no record")])

    def test_store_down(self) -> None:
        """
        A batch that failed because the store was down can be stored again.
        """
        self.deliver(message("a"))
        self.store.down = True
        failing = Deferred.fromCoroutine(self.numbering.store(entries(message("b"))))
        self.failureResultOf(failing, Unavailable)
        self.store.down = False
        self.assertEqual(self.seqs(self.deliver(message("b"))), [("b", 2)])

    def test_forget(self) -> None:
        """
        Heads that are dropped while others are being read are read as well.
        """
        self.deliver(message("a"))
        heads, asked = self.store.heads, []

        def slow(conversations: list[str]) -> Deferred[dict[str, int]]:
            asked.append(sorted(conversations))
            if len(asked) == 1:
                self.numbering.forget()
            return heads(conversations)

        self.store.heads = slow  # type: ignore[method-assign,assignment]
        delivered = self.deliver(message("b"), message("c", "u:1:3"))
        self.assertEqual(self.seqs(delivered), [("b", 2), ("c", 1)])
        self.assertEqual(asked, [["u:1:3"], ["u:1:2"]])

    def test_bounded_heads(self) -> None:
        """
        More conversations than the cache holds are numbered correctly.
        """
        small = Numbering(self.store, lambda: 5, heads_cached=1)
        for round_ in ("a", "b"):
            for other in range(2, 6):
                self.deliver(message(round_, f"u:1:{other}"), by=small)
        seqs = sorted(m.seq for m in self.store.messages.values())
        self.assertEqual(seqs, [1] * 4 + [2] * 4)

    @given(
        st.lists(
            st.tuples(
                st.integers(0, 1),
                st.lists(
                    st.tuples(st.integers(0, 8), st.sampled_from(["u:1:2", "u:1:3"])),
                    min_size=1,
                    max_size=6,
                ),
            ),
            max_size=12,
        )
    )
    def test_two_owners(self, steps: list[tuple[int, list[tuple[int, str]]]]) -> None:
        """
        Whatever two owners store in turn, the seqs have no hole and no repeat.
        """
        store = MemoryStore()
        owners = [Numbering(store, lambda: 5, heads_cached=2) for _ in range(2)]
        wanted = set()
        for owner, batch in steps:
            given_ = [message(str(i), c) for i, c in batch]
            wanted |= {m.identity for m in given_}
            delivered = self.deliver(*given_, by=owners[owner])
            self.assertEqual(
                {m.identity for m in delivered.messages}, {m.identity for m in given_}
            )
        self.assertEqual(set(store.messages), wanted)
        for conversation in ("u:1:2", "u:1:3"):
            seqs = sorted(
                m.seq for m in store.messages.values() if m.conversation == conversation
            )
            self.assertEqual(seqs, list(range(1, len(seqs) + 1)))
