"""
Tests for L{wsmsg.client.state.inbound}.
"""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from wsmsg.client.state.inbound import Inbound, Start
from wsmsg.client.state.inflow import Position
from wsmsg.protocol.frames import Deliver, Head, Page, Sync

U = "u:1:2"


def message(seq: int, conversation: str = U) -> Deliver:
    return Deliver(conversation, seq, 1000 + seq, 2, f"text {seq}", 1, seq)


class Given:
    """
    An L{Inbound}, the messages that it gave, and the room of the program.
    """

    def __init__(
        self,
        start: Start = "beginning",
        positions: dict[str, Position] | None = None,
        *,
        room: int = 1000,
        refill: int = 1,
        listed: bool = False,
    ) -> None:
        self.given: list[Deliver] = []
        self.room = room
        self.inbound = Inbound(
            self._give,
            lambda: self.room,
            refill=refill,
            start=start,
            positions=positions,
            listed=listed,
        )

    def _give(self, frame: Deliver) -> None:
        self.room -= 1
        self.given.append(frame)

    @property
    def seqs(self) -> list[int]:
        return [frame.seq for frame in self.given]

    def came(self, *seqs: int) -> None:
        for seq in seqs:
            self.inbound.delivered(message(seq))

    def page(self, sync: Sync, *seqs: int, head: int = 0, now: float = 0.0) -> bool:
        messages = tuple(message(seq) for seq in seqs)
        head = head or max(seqs, default=0)
        return self.inbound.page(Page(sync.id, sync.conversation, messages, head), now)


class LiveTests(SynchronousTestCase):
    """
    Messages that the server pushes.
    """

    def test_in_order(self) -> None:
        """
        Messages that arrive in order are given at once, without a sync.
        """
        it = Given()
        it.came(1, 2, 3)
        self.assertEqual(it.seqs, [1, 2, 3])
        self.assertEqual(it.inbound.due(0.0), [])
        self.assertTrue(it.inbound.settled)

    def test_repeat(self) -> None:
        """
        A repeated message is dropped.
        """
        it = Given()
        it.came(1, 2, 1, 2, 3, 3)
        self.assertEqual(it.seqs, [1, 2, 3])

    def test_gap(self) -> None:
        """
        Messages after a gap are held until the missing ones are synced.
        """
        it = Given()
        it.came(1, 3, 4)
        self.assertEqual(it.seqs, [1])
        (sync,) = it.inbound.due(0.0)
        # From the last message on, to see whether the history is the same.
        self.assertEqual((sync.conversation, sync.after), (U, 0))
        self.assertEqual(it.inbound.due(0.0), [])
        it.page(sync, 2)
        self.assertEqual(it.seqs, [1, 2, 3, 4])
        self.assertTrue(it.inbound.settled)

    def test_gap_closes_by_itself(self) -> None:
        """
        Held messages follow a missing message that arrives late.
        """
        it = Given()
        it.came(2, 3, 1)
        self.assertEqual(it.seqs, [1, 2, 3])
        self.assertEqual(it.inbound.due(0.0), [])

    def test_much_is_held_back(self) -> None:
        """
        The number of held messages is bounded; the others are synced again.
        """
        it = Given()
        it.came(*range(2, 1000))
        (sync,) = it.inbound.due(0.0)
        it.page(sync, 1)
        self.assertEqual(it.seqs, list(range(1, 258)))
        (sync,) = it.inbound.due(0.0)
        self.assertEqual(sync.after, 257)


class SyncTests(SynchronousTestCase):
    """
    Syncs of missed messages.
    """

    def test_pages(self) -> None:
        """
        A conversation is synced page after page up to its head.
        """
        it = Given()
        it.inbound.merge([Head(U, 5)], complete=True)
        (sync,) = it.inbound.due(0.0)
        it.page(sync, 1, 2, head=5)
        (sync,) = it.inbound.due(0.0)
        self.assertEqual(sync.after, 2)
        it.page(sync, 3, 4, 5)
        self.assertEqual(it.seqs, [1, 2, 3, 4, 5])
        self.assertEqual(it.inbound.due(0.0), [])

    def test_live_meets_sync(self) -> None:
        """
        Messages that arrive while a page is in flight are given after it, once.
        """
        it = Given()
        it.inbound.merge([Head(U, 2)], complete=True)
        (sync,) = it.inbound.due(0.0)
        it.came(3)
        it.page(sync, 1, 2, 3)
        it.came(4)
        self.assertEqual(it.seqs, [1, 2, 3, 4])

    def test_few_at_once(self) -> None:
        """
        However many conversations are behind, only four are synced at a time.
        """
        it = Given()
        it.inbound.merge([Head(f"u:1:{n}", 1) for n in range(9)], complete=True)
        self.assertEqual(len(it.inbound.due(0.0)), 4)

    def test_loss(self) -> None:
        """
        A page that was in flight when the connection broke is requested again.
        """
        it = Given()
        it.inbound.merge([Head(U, 1)], complete=True)
        (first,) = it.inbound.due(0.0)
        it.inbound.lost()
        (second,) = it.inbound.due(0.0)
        self.assertFalse(it.page(first, 1))
        self.assertTrue(it.page(second, 1))
        self.assertEqual(it.seqs, [1])

    def test_refused_for_now(self) -> None:
        """
        A sync that the server cannot answer now is repeated at the given time.
        """
        it = Given()
        it.inbound.merge([Head(U, 1)], complete=True)
        (sync,) = it.inbound.due(0.0)
        self.assertTrue(it.inbound.refused(sync.id, 3.0))
        self.assertEqual(it.inbound.due(2.9), [])
        self.assertEqual(it.inbound.next_due(2.9), 3.0)
        self.assertEqual(len(it.inbound.due(3.0)), 1)

    def test_refused_for_good(self) -> None:
        """
        A conversation that the user may not read is not synced again.
        """
        it = Given()
        it.inbound.merge([Head(U, 1)], complete=True)
        (sync,) = it.inbound.due(0.0)
        it.inbound.refused(sync.id, None)
        self.assertTrue(it.inbound.settled)
        self.assertFalse(it.inbound.refused(sync.id, None))

    def test_stale_page(self) -> None:
        """
        If the server does not know the held messages yet, the sync is repeated later.
        """
        it = Given()
        it.came(2)
        (sync,) = it.inbound.due(0.0)
        it.page(sync, now=5.0)
        self.assertEqual(it.inbound.due(5.9), [])
        (sync,) = it.inbound.due(6.0)
        it.page(sync, 1, 2)
        self.assertEqual(it.seqs, [1, 2])

    def test_less_than_was_said(self) -> None:
        """
        The sync of a conversation ends when the server has no more of it.
        """
        it = Given()
        it.inbound.merge([Head(U, 5)], complete=True)
        (sync,) = it.inbound.due(0.0)
        it.page(sync)
        self.assertTrue(it.inbound.settled)

    def test_hole_in_the_store(self) -> None:
        """
        A seq that the server does not have does not hold up the others.
        """
        it = Given()
        it.inbound.merge([Head(U, 4)], complete=True)
        (sync,) = it.inbound.due(0.0)
        with self.assertLogs("wsmsg.client", "WARNING"):
            it.page(sync, 1, 3, 4)
        self.assertEqual(it.seqs, [1, 3, 4])

    def test_busy_program(self) -> None:
        """
        A program that takes nothing gets only as many messages as there is room for,
        and the others when it has made room.
        """
        it = Given(room=3, refill=2)
        it.came(1, 2, 3, 4, 5)
        self.assertEqual(it.seqs, [1, 2, 3])
        self.assertEqual(it.inbound.due(0.0), [])
        it.room = 1
        self.assertIsNone(it.inbound.next_due(0.0))
        it.room = 2
        self.assertEqual(it.inbound.due(0.0), [])
        self.assertEqual(it.seqs, [1, 2, 3, 4, 5])


class StartTests(SynchronousTestCase):
    """
    The beginning of a conversation.
    """

    def test_position(self) -> None:
        """
        A program continues after the last message that its earlier run took.
        """
        it = Given(positions={U: Position(3, 5)}, listed=True)
        (sync,) = it.inbound.due(0.0)
        self.assertEqual(sync.after, 3)
        it.page(sync, 4, 5)
        self.assertEqual(it.seqs, [4, 5])
        self.assertEqual(it.inbound.positions(), {U: Position(3, 5)})
        it.inbound.took(U, 4, 1004)
        self.assertEqual(it.inbound.positions(), {U: Position(4, 5, 1004)})

    def test_another_history(self) -> None:
        """
        In another history, numbers begin anew: the program is given what it has not
        got, under whatever number, and nothing twice.
        """
        it = Given()
        it.came(1, 2, 3, 4)
        for seq in (1, 2, 3):
            it.inbound.took(U, seq, 1000 + seq)
        it.inbound.begin_anew()
        it.given.clear()
        # It processes what it was given before; that says nothing of this history.
        it.inbound.took(U, 4, 1004)
        it.inbound.merge([Head(U, 5)], complete=True)
        (sync,) = it.inbound.due(0.0)
        self.assertEqual(sync.after, 0)
        ours = (message(1), message(2))
        new = [Deliver(U, n, 2000 + n, 2, "new", 1, n) for n in (3, 4, 5)]
        it.inbound.page(Page(sync.id, U, (*ours, *new), 5), 0.0)
        self.assertEqual([m.message_id for m in it.given], [2003, 2004, 2005])
        it.inbound.took(U, 3, 2003)
        kept = it.inbound.positions()[U]
        self.assertEqual((kept.seq, kept.before), (3, 4))

    def test_newest(self) -> None:
        """
        The newest message that the program was given is to be checked, and no message
        waits for that.
        """
        it = Given()
        it.inbound.suspect_newest()
        self.assertEqual(it.inbound.suspects, {})
        it.came(1, 2)
        it.inbound.suspect_newest()
        self.assertEqual(list(it.inbound.suspects), [(U, Position(2, 2, 1002))])
        it.came(3)
        self.assertEqual(it.seqs, [1, 2, 3])

    def test_delivered(self) -> None:
        """
        With C{delivered}, messages that a device of the user has are not given again.
        """
        it = Given("delivered")
        it.inbound.merge([Head(U, 5, delivered=3)], complete=True)
        (sync,) = it.inbound.due(0.0)
        self.assertEqual(sync.after, 3)

    def test_delivered_waits_for_the_list(self) -> None:
        """
        With C{delivered}, a message that arrives before the list hides no missed one.
        """
        it = Given("delivered")
        it.came(5)
        it.inbound.merge([Head(U, 5, delivered=3)], complete=True)
        (sync,) = it.inbound.due(0.0)
        it.page(sync, 4, 5)
        self.assertEqual(it.seqs, [4, 5])

    def test_latest(self) -> None:
        """
        With C{latest}, only new messages are given, and all messages of new
        conversations.
        """
        it = Given("latest")
        it.inbound.merge([Head(U, 5)], complete=True)
        it.came(6)
        self.assertEqual(it.seqs, [6])
        it.inbound.delivered(message(2, "u:1:3"))
        (sync,) = it.inbound.due(0.0)
        self.assertEqual((sync.conversation, sync.after), ("u:1:3", 0))

    def test_latest_before_the_list(self) -> None:
        """
        With C{latest}, a message that arrives before the list is new.
        """
        it = Given("latest")
        it.came(6)
        self.assertEqual(it.seqs, [6])


class AnyOrderTests(SynchronousTestCase):
    """
    Any behaviour of the network, and a slow program.
    """

    @given(st.data(), st.integers(1, 30))
    def test_each_once_in_order(self, data: st.DataObject, count: int) -> None:
        """
        Messages that are lost, repeated and reordered, on connections that break, are
        given once and in order as soon as the server can be asked.
        """
        room = data.draw(st.integers(1, 40))
        it = Given(room=room, refill=min(room, data.draw(st.integers(1, 10))))
        page = data.draw(st.integers(1, 10))
        for seq in data.draw(st.lists(st.integers(1, count), max_size=60)):
            it.came(seq)
            if data.draw(st.booleans()):
                it.room = room
            if data.draw(st.integers(0, 9)) == 0:
                it.inbound.lost()
            for sync in it.inbound.due(0.0):
                if data.draw(st.booleans()):
                    last = min(count, sync.after + page)
                    it.page(sync, *range(sync.after + 1, last + 1), head=count)
        it.inbound.lost()
        it.inbound.merge([Head(U, count)], complete=True)
        for _ in range(3 * count):
            it.room = room
            for sync in it.inbound.due(0.0):
                last = min(count, sync.after + page)
                it.page(sync, *range(sync.after + 1, last + 1), head=count)
        self.assertEqual(it.seqs, list(range(1, count + 1)))
        self.assertTrue(it.inbound.settled)
