"""
Signs in what arrives that the server's history was rewound.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.client.state.test_inbound import Given, U, message
from wsmsg.client.state.inflow import Position
from wsmsg.protocol.frames import Deliver, Head, Page


class RewoundTests(SynchronousTestCase):
    """
    Conversations that are other than what the program was given.
    """

    def test_last_of(self) -> None:
        """
        The last message that the program was given in a conversation is known, to ask
        for it; of a history that was left, none is.
        """
        it = Given()
        self.assertIsNone(it.inbound.last_of(U))
        it.came(1, 2)
        self.assertEqual(it.inbound.last_of(U), (U, Position(2, 2, 1002)))
        self.assertIsNone(it.inbound.last_of(""))
        it.inbound.begin_anew()
        self.assertIsNone(it.inbound.last_of(U))
        resumed = Given(positions={U: Position(3, 3, 1003)})
        self.assertEqual(resumed.inbound.last_of(U), (U, Position(3, 3, 1003)))

    def test_rewound(self) -> None:
        """
        A message that is not known under a number that the program was given, a list
        with a lower head, and a page that ends before the number that was asked for
        are told; repeats are not.
        """
        it = Given()
        for seq in (1, 2, 1):
            self.assertTrue(it.inbound.delivered(message(seq)))
        other = Deliver(U, 2, 2002, 2, "new", 1, 2)
        self.assertFalse(it.inbound.delivered(other))
        self.assertEqual(it.inbound.merge([Head(U, 2)], complete=True), [])
        self.assertEqual(it.inbound.merge([Head(U, 1)], complete=True), [U])
        it.inbound.merge([Head(U, 5)], complete=True)
        (sync,) = it.inbound.due(0.0)
        self.assertFalse(it.inbound.is_rewound_in(Page(sync.id, U, (), 2)))
        self.assertFalse(it.inbound.is_rewound_in(Page("x", U, (), 1)))
        self.assertTrue(it.inbound.is_rewound_in(Page(sync.id, U, (), 1)))
