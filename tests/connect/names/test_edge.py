"""
Tests of L{wsmsg.connect.names.edge}.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.connect.names.doubles import ANNA, BERTA, CARL, NamedNode, heard
from tests.connect.session.doubles import Client, message
from wsmsg.connect.names import edge as named_edge
from wsmsg.model import Cursor, UserPresence
from wsmsg.protocol import frames
from wsmsg.protocol.frames import Hello


class PushTests(SynchronousTestCase):
    """
    Each frame has the names of the users whom it mentions.
    """

    def setUp(self) -> None:
        self.node = NamedNode("anna", "berta", "carl")
        self.client = self.node.enter("anna")
        self.node.store.at_once = False

    def seqs(self, client: Client) -> list[int]:
        """
        Return the numbers of the messages that a client has received.
        """
        return [f.seq for f, _ in heard(client) if isinstance(f, frames.Deliver)]

    def test_known(self) -> None:
        """
        A push that mentions known users is passed on at once, with their names, in both
        spellings.
        """
        other = self.node.client(codec=self.node.protobuf)
        other.say(Hello("token-anna", "tablet"))
        self.node.names.find((), [BERTA])
        self.node.turn()
        self.node.store.answer()
        heard(other)
        self.node.edge.push(message(BERTA, ANNA, 1), [ANNA])
        for client in (self.client, other):
            ((frame, names),) = heard(client)
            assert isinstance(frame, frames.Deliver)
            self.assertEqual(frame.sender, BERTA)
            self.assertEqual(names, {ANNA: "anna", BERTA: "berta"})

    def test_users_with_numbers(self) -> None:
        """
        A push among users with numbers has no names, and asks for none.
        """
        old = self.node.enter("1001")
        asked = len(self.node.store.asked)
        self.node.edge.push(message(1002, 1001, 1), [1001])
        ((_, names),) = heard(old)
        self.assertEqual((names, len(self.node.store.asked)), ({}, asked))

    def test_order_of_a_recipient(self) -> None:
        """
        Frames behind a push that waits for a name wait as well, for the same recipient
        only.
        """
        other = self.node.enter("1001")
        self.node.edge.push(message(BERTA, ANNA, 1), [ANNA])
        self.node.edge.receipt(Cursor("u:1:2", 5, 3, 3), [ANNA, 1001])
        self.node.edge.push(message(7, ANNA, 1), [ANNA])
        self.node.edge.push(message(7, 1001, 1), [1001])
        self.assertEqual(heard(self.client), [])
        self.assertEqual(
            [type(f) for f, _ in heard(other)],
            [
                frames.Receipt,
                frames.Deliver,
            ],
        )
        self.node.turn()
        self.node.store.answer()
        got = heard(self.client)
        self.assertEqual(
            [type(f) for f, _ in got],
            [
                frames.Deliver,
                frames.Receipt,
                frames.Deliver,
            ],
        )
        self.assertEqual(got[0][1], {ANNA: "anna", BERTA: "berta"})

    def test_two_look_ups(self) -> None:
        """
        Pushes keep their order when the later look-up has its answer first.
        """
        self.node.edge.push(message(BERTA, ANNA, 1), [ANNA])
        self.node.turn()
        self.node.edge.push(message(CARL, ANNA, 2), [ANNA])
        self.node.turn()
        first = self.node.store.waiting.pop(0)
        self.node.store.waiting.pop(0).callback({"carl": CARL})
        self.assertEqual(heard(self.client), [])
        first.callback({"berta": BERTA})
        self.assertEqual(self.seqs(self.client), [1, 2])

    def test_away(self) -> None:
        """
        A push whose name cannot be looked up goes on without it: no message is lost.
        """
        self.node.edge.push(message(BERTA, ANNA, 1), [ANNA])
        self.node.turn()
        self.node.store.fail()
        ((frame, names),) = heard(self.client)
        assert isinstance(frame, frames.Deliver)
        self.assertEqual(names, {ANNA: "anna"})

    def test_bounded(self) -> None:
        """
        Beyond a bound, pushes do not wait for names.
        """
        most = named_edge.MOST_PUSHES
        for seq in range(1, most + 2):
            self.node.edge.push(message(BERTA, ANNA, seq), [ANNA])
        self.assertEqual(self.seqs(self.client), list(range(1, most + 2)))
        self.node.turn()
        self.node.store.answer()
        self.assertEqual(heard(self.client), [])

    def test_session_that_ends(self) -> None:
        """
        A recipient who leaves meanwhile misses nothing that others get.
        """
        other = self.node.enter("1001")
        self.node.edge.push(message(BERTA, ANNA, 1), [ANNA, 1001])
        self.client.hang_up()
        self.node.turn()
        self.node.store.answer()
        self.assertEqual(self.seqs(other), [1])

    def test_presence_and_typing(self) -> None:
        """
        Presence waits for the name; typing does not, as it is repeated.
        """
        self.client.say(frames.Watch(users=(BERTA,)))
        self.node.upstream.asked.pop().callback([UserPresence(BERTA, False)])
        self.node.turn()
        self.node.store.answer()
        ((frame, names),) = heard(self.client)
        self.assertEqual(
            (frame, names), (frames.Presence(BERTA, False), {BERTA: "berta"})
        )
        self.client.say(frames.Watch(users=(CARL,)))
        self.node.upstream.asked.pop().callback([UserPresence(CARL, False)])
        self.node.edge.presence(UserPresence(CARL, True))
        low, high = sorted((ANNA, CARL))
        self.node.edge.typing(f"u:{low}:{high}", CARL, [ANNA])
        self.assertEqual(heard(self.client), [])
        self.node.turn()
        while self.node.store.waiting:
            self.node.store.answer()
        self.assertIn((frames.Presence(CARL, True), {CARL: "carl"}), heard(self.client))
        self.node.edge.typing(f"u:{low}:{high}", CARL, [ANNA])
        ((frame, names),) = heard(self.client)
        self.assertEqual(names, {ANNA: "anna", CARL: "carl"})
