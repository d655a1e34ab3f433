"""
Recalls of messages.
"""

from __future__ import annotations

import msgspec

from tests.message.ingress.group_case import GroupCase
from tests.message.store.group_contract import CREW
from wsmsg.events.group_change import GROUP
from wsmsg.events.recall import RECALL
from wsmsg.model import RECALLED, Message


class RecallTests(GroupCase):
    """
    A message can be recalled for a minute.
    """

    def recall(self, client_id: str, seq: int, sender: int = 1) -> str:
        self.send(client_id, str(seq), RECALL, sender=sender)
        return self.code(client_id)

    def test_recall(self) -> None:
        """
        Senders can recall their messages until the time is over.
        """
        self.stored(3)
        self.assertEqual(self.recall("a", 3), "accepted")
        self.now += 60_000
        self.assertEqual(self.recall("b", 3), "accepted")
        self.now += 1
        self.assertEqual(self.recall("c", 3), "forbidden")

    def test_recall_again(self) -> None:
        """
        A repeated recall gets the same answer, even long after.
        """
        self.stored(3)
        self.stored(4, kind=RECALL)
        self.now += 10**9
        self.send("s4", "hi", RECALL)
        self.assertEqual(self.code("s4"), "bad_request")  # a recall names a number
        request = Message(CREW, 1, "r", 9, "3", RECALL, 77, 5)
        self.store.messages[request.identity] = request
        self.send("r", "3", RECALL)
        self.assertEqual(self.answers["r"], 77)

    def test_recall_of_others(self) -> None:
        """
        A user can recall neither messages of others, nor events, recalled messages or
        messages that do not exist.
        """
        self.stored(3, sender=2)
        self.stored(4, kind=GROUP)
        self.stored(5, kind=RECALLED)
        self.assertEqual(self.recall("a", 3), "forbidden")
        self.assertEqual(self.recall("b", 4), "bad_request")
        self.assertEqual(self.recall("c", 5), "bad_request")
        self.assertEqual(self.recall("d", 6), "not_found")
        self.stored(7, sender=9)
        self.assertEqual(self.recall("e", 7, sender=9), "forbidden")

    def test_sent_again_after_recall(self) -> None:
        """
        A repeated send of a recalled message gets the answer of the first send.
        """
        gone = msgspec.structs.replace(self.stored(3), content="", kind=RECALLED)
        self.store.messages[gone.identity] = gone
        self.send("s3", "hi")
        self.assertEqual(self.answers["s3"], gone.time_ms)
