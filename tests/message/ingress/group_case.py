"""
A group whose members send to an ingress.
"""

from __future__ import annotations

from collections.abc import Sequence

from twisted.trial.unittest import SynchronousTestCase

from tests.message.doubles import ManualJournal, MemoryStore
from tests.message.ingress.ingress_in_memory import ingress_of
from tests.message.store.group_contract import CREW
from wsmsg.errors import WsmsgError
from wsmsg.events.group_change import GROUP, GroupChange, encode_change
from wsmsg.message.cluster.message_ids import EPOCH_MS
from wsmsg.message.ingress.interface import Answer, SendRequest
from wsmsg.model import TEXT, Message, group_conversation, group_of


class GroupCase(SynchronousTestCase):
    """
    A group of its owner, user 1, and user 2; a group has at most five members.
    """

    def setUp(self) -> None:
        self.now = EPOCH_MS
        self.journal = self.make_journal()
        self.store = MemoryStore()
        self.store.start()
        self.answers: dict[str, int | WsmsgError] = {}
        self.ingress = ingress_of(
            self.journal,
            self.store,
            self.now_ms,
            limit=20,
            seconds=lambda: (self.now - EPOCH_MS) / 1000,
        )
        crew = GroupChange(True, "crew", add=(1, 2))
        self.store.groups[CREW] = (crew, 1, {1: 1, 2: 1})

    def make_journal(self) -> ManualJournal:
        """
        Return the journal of a test.
        """
        return ManualJournal()

    def now_ms(self) -> int:
        return self.now

    def reply(self, answers: Sequence[Answer]) -> None:
        for request, answer in answers:
            self.assertNotIn(request.client_id, self.answers)
            self.answers[request.client_id] = answer

    def send(
        self,
        client_id: str,
        content: str = "hi",
        kind: int = TEXT,
        *,
        sender: int = 1,
        to: str = CREW,
    ) -> None:
        """
        Send a message, and make it durable if it reaches the journal.
        """
        self.offer(SendRequest(0, sender, client_id, to, content, kind))
        self.durable()

    def offer(self, *requests: SendRequest) -> None:
        self.ingress.accept(requests, self.reply)

    def durable(self) -> None:
        for _, done in self.journal.appends:
            if not done.called:
                done.callback(None)

    def change(
        self,
        client_id: str,
        *,
        sender: int = 1,
        add: Sequence[int] = (),
        remove: Sequence[int] = (),
    ) -> None:
        """
        Request a change of the group.
        """
        change = GroupChange(add=tuple(add), remove=tuple(remove))
        self.send(client_id, encode_change(change), GROUP, sender=sender)

    def make(self, client_id: str, *users: int, sender: int = 1, **more: str) -> str:
        """
        Request a new group.
        """
        change = GroupChange(True, more.get("name", "new"), add=(sender, *users))
        to = group_conversation(group_of(sender, client_id))
        to = more.get("to", to)
        self.send(client_id, encode_change(change), GROUP, sender=sender, to=to)
        return to

    def stored(self, seq: int, *, kind: int = TEXT, sender: int = 1) -> Message:
        """
        Store a message of the group.
        """
        message = Message(CREW, sender, f"s{seq}", seq, "hi", kind, self.now, seq)
        self.store.messages[message.identity] = message
        return message

    def said(self) -> list[str]:
        return [m.client_id for batch, _ in self.journal.appends for m in batch]

    def code(self, client_id: str) -> str:
        answer = self.answers[client_id]
        return answer.code if isinstance(answer, WsmsgError) else "accepted"

    def codes(self) -> dict[str, str]:
        return {client_id: self.code(client_id) for client_id in self.answers}
