"""
The lines that the chat shows, each with its mark.

The module does not know the terminal; L{wsmsg.cli.chat.screen} draws the lines.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import attrs

from wsmsg.cli.chat.cells import drawable
from wsmsg.client import (
    Closed,
    Connected,
    Event,
    GroupChanged,
    MessageRecalled,
    MessageReceived,
    PresenceChanged,
    ReceiptReceived,
    Reconnecting,
    Stored,
    TypingReceived,
)
from wsmsg.model import group_in, is_group
from wsmsg.text.escape import harmless

#: Seconds after the last typing notice for which a user counts as typing.
TYPING_S = 4.0

#: The most lines that are kept.
LINES = 2000


@attrs.define(slots=True)
class ChatEntry:
    """
    One line.

    @ivar seq: 0 if the line has no number yet, or is not a message.
    @ivar problem: the reason for which the message was not sent.
    @ivar recalled: the sender has recalled the message.
    """

    text: str
    mine: bool
    time_ms: int
    seq: int = 0
    sender: int = 0
    recalled: bool = False
    client_id: str = ""
    accepted: bool = False
    problem: str = ""
    note: bool = False

    def accept(self) -> None:
        """
        Note that the server has accepted the message.
        """
        self.accepted = True

    def refuse(self, problem: str) -> None:
        """
        Note why the message was not sent.
        """
        self.problem = problem

    def recall(self) -> None:
        """
        Show the message as recalled.
        """
        self.text, self.recalled = "", True

    def store(self, message: MessageReceived) -> None:
        """
        Take over what the server says of the message.
        """
        self.accepted, self.sender = True, message.sender
        self.seq, self.time_ms = message.seq, message.time_ms
        self.recalled = message.recalled


class ChatView:
    """
    A conversation as the user of this terminal sees it.

    @param now: a monotonic clock, in seconds.
    @param name_of: returns the name of a user.
    @ivar shown: the greatest number that is shown.
    @ivar first: the smallest number that is shown; 0: none is.
    @ivar arrived: how many messages of others have been added at the end.
    @ivar groups: the names of groups, by number.
    """

    def __init__(
        self,
        conversation: str,
        now: Callable[[], float],
        name_of: Callable[[int], str] = str,
    ) -> None:
        self._name_of = name_of
        self.conversation = conversation
        self.entries: list[ChatEntry] = []
        self.connection = "connecting"
        self.online: bool | None = None
        self.shown = self.first = self.arrived = 0
        self.groups: dict[int, str] = {}
        self._numbers = True
        self._now = now
        self._delivered = self._read = 0
        self._typed_at: float | None = None
        self._own: dict[str, ChatEntry] = {}

    @property
    def numbers(self) -> bool:
        """
        L{True} if the server numbers messages.
        """
        return self._numbers

    def connected(self, *, numbers: bool) -> None:
        """
        Show a connection to a server that numbers messages, or does not.
        """
        if self._numbers and not numbers:
            self.note(
                "this server does not number messages: you miss those sent while you "
                "are away, and there is no history, receipt, /recall or /members"
            )
        self._numbers = numbers

    def history(self, messages: Sequence[Stored]) -> None:
        """
        Add the last messages of the conversation, as far as they are not shown yet.
        """
        arrived = self.arrived
        for message in messages:
            self._stored(message)
        self.arrived = arrived

    def older(self, messages: Sequence[Stored]) -> None:
        """
        Add messages before the first one that is shown.
        """
        page = ChatView(self.conversation, self._now, self._name_of)
        page.history([m for m in messages if not self.first or m.seq < self.first])
        self.entries[:0] = page.entries
        self.first = page.first or self.first

    def sending(self, client_id: str, text: str, time_ms: int) -> None:
        """
        Add a message that the user wrote.
        """
        entry = ChatEntry(
            drawable(text), mine=True, time_ms=time_ms, client_id=client_id
        )
        self._own[client_id] = entry
        self._add(entry)

    def accepted(self, client_id: str) -> None:
        """
        Mark a message as accepted by the server.
        """
        if client_id in self._own:
            self._own[client_id].accept()

    def refused(self, client_id: str, reason: str) -> None:
        """
        Mark a message as refused by the server.
        """
        entry = self._own.pop(client_id, None)
        if entry is not None:
            entry.refuse(harmless(reason))

    def note(self, text: str, time_ms: int = 0) -> None:
        """
        Add a line that is not a message.
        """
        self._add(ChatEntry(drawable(text), mine=False, time_ms=time_ms, note=True))

    def event(self, event: Event) -> None:
        """
        Apply an event of the client.
        """
        match event:
            case Stored():
                if event.conversation == self.conversation:
                    self._stored(event)
                else:
                    self._elsewhere(event)
            case ReceiptReceived(self.conversation, _, delivered, read):
                self._delivered = max(self._delivered, delivered)
                self._read = max(self._read, read)
            case TypingReceived(self.conversation):
                self._typed_at = self._now()
            case PresenceChanged(online=online):
                self.online = online
            case Connected():
                self.connection = "connected"
            case Reconnecting(reason, delay_s):
                self.connection = f"reconnecting in {delay_s:.1f} s: {harmless(reason)}"
                self.online = None
            case Closed(reason):
                self.connection = f"closed: {harmless(reason)}"
            case _:
                pass

    @property
    def typing(self) -> bool:
        """
        L{True} while the other user types.
        """
        at = self._typed_at
        return at is not None and self._now() < at + TYPING_S

    def mark(self, entry: ChatEntry) -> str:
        """
        The mark of an own message: sent, accepted, delivered, read.
        """
        if not entry.mine or entry.note:
            return ""
        if entry.recalled:
            return ""
        if entry.problem:
            return f"not sent: {entry.problem}"
        if entry.seq and entry.seq <= self._read:
            return "\u2713\u2713 read"
        if entry.seq and entry.seq <= self._delivered:
            return "\u2713\u2713"
        return "\u2713" if entry.accepted else "\u2026"

    def last_own(self) -> int:
        """
        The number of the last own message that can be recalled; 0 if there is none.
        """
        own = (e.seq for e in self.entries if e.mine and e.seq and not e.recalled)
        return max(own, default=0)

    def group_label(self, group: int) -> str:
        """
        Return the name of a group, or its number if the name is not known.
        """
        name = harmless(self.groups.get(group, ""))
        return f"group {name}" if name else f"group {group}"

    def _elsewhere(self, event: Stored) -> None:
        where = "you"
        if is_group(event.conversation):
            where = self.group_label(group_in(event.conversation))
        if event.mine:
            return
        if isinstance(event, MessageReceived):
            self.note(
                f"{self._name_of(event.sender)} wrote to {where}: {event.content}"
            )
        elif summary := event.summary_by(self._name_of):
            self.note(f"in {where} {summary}")

    def _stored(self, event: Stored) -> None:
        if event.seq:
            if event.seq <= self.shown:
                return
            self.shown = event.seq
            self.first = self.first or event.seq
        match event:
            case MessageReceived():
                self._message(event)
            case MessageRecalled(recalled=seq):
                for entry in self.entries:
                    if entry.seq == seq:
                        entry.recall()
            case _ if summary := event.summary_by(self._name_of):
                if isinstance(event, GroupChanged) and event.created:
                    self.groups[event.group] = event.name
                self.note(summary, event.time_ms)

    def _message(self, message: MessageReceived) -> None:
        if not message.mine:
            self._typed_at = None
        entry = self._own.pop(message.client_id, None) if message.mine else None
        if entry is not None:
            # It moves to where it is numbered: the same place for everybody.
            self.entries.remove(entry)
        else:
            text = drawable(message.content)
            entry = ChatEntry(text, message.mine, message.time_ms)
            self.arrived += not message.mine
        entry.store(message)
        waiting = len(self.entries)
        while waiting and self.entries[waiting - 1] in self._own.values():
            waiting -= 1
        self.entries.insert(waiting, entry)
        self._trim()

    def _add(self, entry: ChatEntry) -> None:
        self.entries.append(entry)
        self._trim()

    def _trim(self) -> None:
        if len(self.entries) > LINES:
            del self.entries[: len(self.entries) - LINES]


def clock_time(time_ms: int) -> str:
    """
    Return hours and minutes in the time zone of this terminal.
    """
    return time.strftime("%H:%M", time.localtime(time_ms / 1000)) if time_ms else ""


def day_of(time_ms: int) -> str:
    """
    Return the day in the time zone of this terminal, as in C{Monday, 30 November 2026}.
    """
    return time.strftime("%A, %-d %B %Y", time.localtime(time_ms / 1000))
