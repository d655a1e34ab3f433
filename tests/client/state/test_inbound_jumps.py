"""
Tests for L{wsmsg.client.state.inbound} with seqs that begin late, and jump.
"""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tests.client.state.test_inbound import Given, U
from wsmsg.protocol.frames import Head


class GroupNumberTests(SynchronousTestCase):
    """
    Seqs that begin late, and jump.
    """

    def test_begins_late(self) -> None:
        """
        A group that the user joined at seq 17 begins there.
        """
        it = Given()
        it.came(17, 18)
        (sync,) = it.inbound.due(0.0)
        self.assertEqual(sync.after, 0)
        it.page(sync, 17, 18)
        it.came(19)
        self.assertEqual(it.seqs, [17, 18, 19])
        self.assertTrue(it.inbound.settled)

    def test_jump(self) -> None:
        """
        A user who was removed and added again misses the messages in between, and waits
        for none of them.
        """
        it = Given()
        it.came(1, 2)
        it.came(30, 31)
        (sync,) = it.inbound.due(0.0)
        self.assertEqual(sync.after, 1)
        it.page(sync, 2, 30, head=31)
        self.assertEqual(it.seqs, [1, 2, 30, 31])
        self.assertTrue(it.inbound.settled)

    def test_jump_in_page(self) -> None:
        """
        A page is complete up to its last message, even if its seqs jump.
        """
        it = Given()
        it.inbound.merge([Head(U, 40)], complete=True)
        (sync,) = it.inbound.due(0.0)
        it.page(sync, 5, 6, 39, 40, head=40)
        self.assertEqual(it.seqs, [5, 6, 39, 40])
        self.assertTrue(it.inbound.settled)

    def test_refused(self) -> None:
        """
        If nothing can be read any more, the held messages are given, in order.
        """
        it = Given()
        it.came(1, 9, 5, 6)
        (sync,) = it.inbound.due(0.0)
        it.inbound.refused(sync.id, None)
        self.assertEqual(it.seqs, [1, 5, 6, 9])
        self.assertTrue(it.inbound.settled)

    def test_refused_without_room(self) -> None:
        """
        Held messages wait while the program has no room, and are not lost.
        """
        it = Given(room=2)
        it.came(1, 5, 9)
        (sync,) = it.inbound.due(0.0)
        it.inbound.refused(sync.id, None)
        self.assertEqual(it.seqs, [1, 5])
        it.room = 5
        for sync in it.inbound.due(0.0):
            it.inbound.refused(sync.id, None)
        self.assertEqual(it.seqs, [1, 5, 9])
        self.assertTrue(it.inbound.settled)

    @given(st.data())
    def test_any_membership(self, data: st.DataObject) -> None:
        """
        P5: whatever is visible, pushed, lost and repeated, each visible message is
        given once, in order, and in the end nothing waits.
        """
        visible = sorted(data.draw(st.sets(st.integers(1, 30), min_size=1)))
        pushed = [s for s in visible if data.draw(st.booleans())]
        it = Given()
        for seq in data.draw(st.permutations(pushed + pushed[:3])):
            it.came(seq)
        it.inbound.merge([Head(U, visible[-1])], complete=True)
        size = data.draw(st.integers(1, 4))
        for _ in range(100):
            for sync in it.inbound.due(0.0):
                page = [s for s in visible if s > sync.after][:size]
                it.page(sync, *page, head=visible[-1])
        self.assertEqual(it.seqs, visible)
        self.assertTrue(it.inbound.settled)
