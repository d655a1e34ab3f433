"""
Two users who talk, and the messages that each of them received.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

import attrs

from wsmsg.cli.demo.script import DemoScript, ScriptLine
from wsmsg.client import (
    Client,
    Connected,
    MessageReceived,
    ReceiptReceived,
    Reconnecting,
)
from wsmsg.model import conversation_of
from wsmsg.text.escape import harmless

USERS = (1001, 1002)


@attrs.frozen
class SentLine:
    """
    A line that was sent, with its id.
    """

    line: ScriptLine
    client_id: str


class Person:
    """
    One of the two users: a client and the messages it received.

    @ivar seen: the messages, in the order of their arrival.
    """

    def __init__(self, name: str, client: Client) -> None:
        self.name = name
        self.client = client
        self.seen: list[MessageReceived] = []
        self.delivered = 0
        self.read = 0
        self.news = asyncio.Event()
        self.states: list[str] = []

    async def listen(self) -> None:
        """
        Receive events, and mark messages as read.
        """
        async for event in self.client.events():
            match event:
                case MessageReceived(conversation=name, seq=seq, mine=mine):
                    self.seen.append(event)
                    if not mine:
                        self.client.mark_read(name, seq)
                case ReceiptReceived(delivered=delivered, read=read):
                    self.delivered, self.read = delivered, read
                case Reconnecting(reason):
                    self.states.append(f"reconnecting: {reason}")
                case Connected():
                    self.states.append("connected")
                case _:
                    pass
            self.news.set()

    async def until(self, reached: Callable[[], bool]) -> None:
        """
        Wait until an event makes this condition true.
        """
        while not reached():
            self.news.clear()
            await self.news.wait()

    def seq_of(self, client_id: str) -> int:
        """
        Return the number of an own message; 0 if it has not come back yet.
        """
        found = (m.seq for m in reversed(self.seen) if m.client_id == client_id)
        return next(found, 0)


class DemoTalk:
    """
    The conversation.
    """

    def __init__(self, script: DemoScript, people: Sequence[Person]) -> None:
        self.people = people
        self.sent: list[SentLine] = []
        self._width = max(len(name) for name in script.names)

    async def play(self, line: ScriptLine) -> tuple[int, str]:
        """
        Send a line, and wait until it is accepted, delivered and read.

        @return: its number, and its text for display.
        """
        person, other = self.people[line.speaker], self.people[1 - line.speaker]
        sent = SentLine(line, f"demo-{len(self.sent) + 1}-{id(self):x}")
        self.sent.append(sent)
        loop = asyncio.get_running_loop()
        began = loop.time()
        await person.client.send(other.client.user, line.text, client_id=sent.client_id)
        accepted_ms = (loop.time() - began) * 1000
        await person.until(lambda: person.seq_of(sent.client_id) > 0)
        seq = person.seq_of(sent.client_id)
        await other.until(lambda: any(m.seq == seq for m in other.seen))
        came_ms = (loop.time() - began) * 1000
        await person.until(lambda: person.read >= seq)
        return seq, (
            f"{seq:>5}  {person.name:>{self._width}}: {harmless(line.text)}\n"
            f"{'':>{self._width + 9}}\u2713 accepted {accepted_ms:.0f} ms  "
            f"\u2713\u2713 delivered {came_ms:.0f} ms  read"
        )


def problems(
    sent: Sequence[SentLine],
    seen: Sequence[MessageReceived],
    *,
    base: int,
    user_of: Callable[[ScriptLine], int],
) -> list[str]:
    """
    Return the problems with the messages that a user received: none if every message
    arrived exactly once and in order.

    @param base: the number after which the conversation began.
    """
    found: list[str] = []
    if len(seen) != len(sent):
        found.append(f"{len(sent)} messages were sent and {len(seen)} arrived")
    numbers = [m.seq for m in seen]
    if numbers != list(range(base + 1, base + 1 + len(numbers))):
        found.append(f"the numbers are {numbers}")
    for user in {user_of(s.line) for s in sent}:
        texts = [s.line.text for s in sent if user_of(s.line) == user]
        arrived = [m.content for m in seen if m.sender == user]
        if arrived != texts:
            found.append(f"the messages of {user} arrived as {arrived}")
    return found


def conversation() -> str:
    """
    Return the id of the conversation of the two users.
    """
    return conversation_of(*USERS)
