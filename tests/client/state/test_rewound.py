"""
Signs in what arrives that the server's history was rewound.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.client.state.test_inbound import Given, U, message
from wsmsg.client.state.inflow import RECENT, Position
from wsmsg.protocol.frames import Deliver, Head, Page


def other(seq: int) -> Deliver:
    """
    Return a message of another history.
    """
    return Deliver(U, seq, 2000 + seq, 2, f"new {seq}", 1, seq)


class RewoundTests(SynchronousTestCase):
    """
    Conversations that are other than what the program was given.
    """

    def suspects(self, it: Given) -> list[Position]:
        return [last for _, last in it.inbound.suspects]

    def test_known_number(self) -> None:
        """
        A message that is not known under a number that the program was given has the
        last message checked, once; a repeat of a known message does not.
        """
        it = Given()
        it.came(1, 2, 1, 2)
        self.assertEqual(self.suspects(it), [])
        it.inbound.delivered(other(1))
        self.assertEqual(self.suspects(it), [Position(2, 2, 1002)])
        it.inbound.suspects.clear()
        it.inbound.delivered(other(1))
        self.assertEqual(self.suspects(it), [])

    def test_nothing_is_given(self) -> None:
        """
        Nothing is given of a conversation that is checked, and so the check is about
        the last message of the history that may be gone; what arrived meanwhile is
        given when the server has that message.
        """
        it = Given()
        it.came(1, 2)
        it.inbound.delivered(other(2))
        it.came(3)
        self.assertEqual((it.seqs, self.suspects(it)), ([1, 2], [Position(2, 2, 1002)]))
        it.inbound.trust(U, Position(1, 1, 1001))
        self.assertEqual(it.seqs, [1, 2])
        it.inbound.trust(U, Position(2, 2, 1002))
        self.assertEqual(it.seqs, [1, 2, 3])

    def test_long_ago(self) -> None:
        """
        A message that is not remembered any more is asked about once for each
        connection.
        """
        it = Given(room=2 * RECENT)
        it.came(*range(1, RECENT + 2))
        for _ in range(2):
            it.inbound.delivered(message(1))
            self.assertEqual(len(self.suspects(it)), 1)
            it.inbound.trust(*it.inbound.suspects.popitem()[0])
            it.inbound.delivered(message(1))
            self.assertEqual(self.suspects(it), [])
            it.inbound.lost()

    def test_many_questions(self) -> None:
        """
        The number of messages that were asked about is bounded.
        """
        it = Given()
        it.came(1)
        for n in range(RECENT + 1):
            it.inbound.delivered(Deliver(U, 1, 5000 + n, 2, "?", 1, 1))
        it.inbound.suspects.clear()
        it.inbound.delivered(Deliver(U, 1, 5000 + RECENT, 2, "?", 1, 1))
        self.assertEqual(self.suspects(it), [])
        it.inbound.delivered(Deliver(U, 1, 5000, 2, "?", 1, 1))
        self.assertEqual(len(self.suspects(it)), 1)

    def test_lower_head(self) -> None:
        """
        A list with a lower head than the program was given has that checked, unless
        the messages came on this connection, while the list was on its way.
        """
        it = Given()
        it.came(1, 2)
        it.inbound.merge([Head(U, 1)], complete=True)
        self.assertEqual(self.suspects(it), [])
        it.inbound.outdate()
        it.inbound.merge([Head(U, 2)], complete=True)
        self.assertEqual(self.suspects(it), [])
        it.inbound.merge([Head(U, 1)], complete=True)
        self.assertEqual(self.suspects(it), [Position(2, 2, 1002)])

    def test_same_head(self) -> None:
        """
        A list with another message in the place of the last one has that checked; the
        same message confirms it, and a list without ids says nothing.
        """
        it = Given(positions={U: Position(2, 2, 1002)})
        it.inbound.merge([Head(U, 2)], complete=False)
        it.inbound.merge([Head(U, 2, message_id=1002)], complete=False)
        self.assertEqual(self.suspects(it), [])
        it.came(3)
        self.assertEqual(it.seqs, [3])
        it.inbound.merge([Head(U, 3, message_id=2003)], complete=False)
        self.assertEqual(self.suspects(it), [Position(3, 3, 1003)])
        it.came(4)
        self.assertEqual(it.seqs, [3])

    def test_page(self) -> None:
        """
        A page that begins with another message in the place of the last one, or ends
        before it, shows another history.
        """
        it = Given()
        it.came(1, 2)
        it.inbound.merge([Head(U, 5)], complete=True)
        (sync,) = it.inbound.due(0.0)
        self.assertEqual(sync.after, 1)
        for page in (
            Page(sync.id, U, (), 1),
            Page(sync.id, U, (other(2), other(3)), 5),
        ):
            self.assertTrue(it.inbound.is_rewound_in(page))
        for page in (
            Page("x", U, (), 1),
            Page(sync.id, U, (message(2), message(3)), 5),
            # In a group, messages from before may not be for the user any more.
            Page(sync.id, U, (message(3),), 5),
            Page(sync.id, U, (), 2),
        ):
            self.assertFalse(it.inbound.is_rewound_in(page))

    def test_page_and_live(self) -> None:
        """
        A page that has another message than the one that arrived meanwhile has the
        last message checked.
        """
        it = Given()
        it.came(1)
        it.inbound.merge([Head(U, 2)], complete=True)
        (sync,) = it.inbound.due(0.0)
        it.came(2)
        page = Page(sync.id, U, (message(1), other(2)), 2)
        self.assertFalse(it.inbound.is_rewound_in(page))
        it.inbound.page(page, 0.0)
        self.assertEqual(self.suspects(it), [Position(2, 2, 1002)])

    def test_long_message(self) -> None:
        """
        A page that has no room for more than the last message, which is asked for
        again, is followed by one that begins behind that.
        """
        it = Given()
        it.came(1, 2)
        it.inbound.merge([Head(U, 3)], complete=True)
        (sync,) = it.inbound.due(0.0)
        it.page(sync, 2, head=3)
        (sync,) = it.inbound.due(0.0)
        self.assertEqual(sync.after, 2)
        it.page(sync, 3)
        self.assertEqual((it.seqs, it.inbound.settled), ([1, 2, 3], True))

    def test_before_the_list(self) -> None:
        """
        On a new connection, a live message is given when a page has shown that the
        history is the same; behind the list, or a page, it is given at once.
        """
        positions = {U: Position(2, 2, 1002)}
        it = Given(positions=positions, listed=True)
        it.came(3)
        self.assertEqual(it.seqs, [])
        (sync,) = it.inbound.due(0.0)
        self.assertEqual(sync.after, 1)
        it.page(sync, 2, 3)
        it.came(4)
        self.assertEqual(it.seqs, [3, 4])
        it.inbound.outdate()
        it.came(5)
        self.assertEqual(it.seqs, [3, 4])
        listed = Given(positions=positions, listed=True)
        listed.inbound.merge([], complete=True)
        listed.came(3)
        self.assertEqual(listed.seqs, [3])

    def test_refused(self) -> None:
        """
        If the server will not tell, what is held back is given.
        """
        it = Given(positions={U: Position(2, 2, 1002)}, listed=True)
        it.came(3)
        (sync,) = it.inbound.due(0.0)
        it.inbound.refused(sync.id, None)
        self.assertEqual(it.seqs, [3])
