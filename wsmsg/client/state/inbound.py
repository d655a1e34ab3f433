"""
Received messages: each once, in the order of numbers, without a gap.

Two numbers matter for each conversation: the last that the program was given (C{seq}),
and the last that exists (C{head})::

    deliver seq+1   give it to the program, then held messages behind it
    deliver <= seq  a repeat: drop it
    deliver > seq+1 a gap: hold the message, send sync after seq
    head > seq      a gap without a message to hold
    a page          complete up to its last message: numbers missing in it are not for
                    this user

Live and synced messages meet here, and either may arrive first.  A conversation that is
behind waits for its turn, because the number of open syncs is limited, and because the
program may not take the messages that it already has.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from typing import Literal

from wsmsg.client.state.inflow import Inflow, Position
from wsmsg.model import is_group
from wsmsg.protocol.frames import Deliver, Head, Page, Sync

#: The point from which a conversation without a position is read: from its first
#: message, after the last that the user has on any device, or from now on.
Start = Literal["beginning", "delivered", "latest"]

_HELD = 256
_SYNCS = 4
# Messages that are recognized by their ids when the server has another history.
_RECENT = 4096
_STALE_S = 1.0

_log = logging.getLogger("wsmsg.client")


class Inbound:
    """
    All conversations of the user.

    @param give: called with each message, in order.
    @param room: returns the number of messages that the program can be given now.
    @param refill: nothing is asked for while there is room for fewer messages.
    @param start: the point from which a conversation without a position is read.
    @param positions: of an earlier run.
    @param listed: an earlier run knew all conversations.
    """

    def __init__(
        self,
        give: Callable[[Deliver], object],
        room: Callable[[], int],
        *,
        refill: int = 1,
        start: Start = "beginning",
        positions: Mapping[str, Position] | None = None,
        listed: bool = False,
    ) -> None:
        self._give = give
        self._room = room
        self._refill = refill
        self._start = start
        self._inflows = {
            name: Inflow.resumed(p) for name, p in (positions or {}).items()
        }
        self._recent: dict[int, Inflow] = {}
        self._queue: dict[str, None] = {}
        self._open: dict[str, str] = {}
        self._made = 0
        self._listed = listed
        self._not_before = 0.0
        for name in self._inflows:
            self._look_at(name)

    def __contains__(self, conversation: str) -> bool:
        return conversation in self._inflows

    def positions(self) -> dict[str, Position]:
        """
        Return the positions from which a later run can continue.
        """
        return {name: i.position for name, i in self._inflows.items()}

    def last_of(self, name: str) -> tuple[str, Position] | None:
        """
        Return the last message of a conversation that the program was given, with the
        conversation; with an empty name do the same as L{newest}.
        """
        if not name:
            return self.newest()
        inflow = self._inflows.get(name)
        return (name, inflow.last) if inflow and inflow.last.seq else None

    def newest(self) -> tuple[str, Position] | None:
        """
        Return the conversation with the newest message that the program processed.
        """
        found = [
            (name, inflow.position)
            for name, inflow in self._inflows.items()
            if inflow.taken_id and inflow.taken >= inflow.before
        ]
        return max(found, key=lambda item: item[1].message_id, default=None)

    def begin_anew(self) -> None:
        """
        Forget all numbers: the server has another history.  A conversation of which the
        program was given nothing begins as a new one.
        """
        self._open.clear()
        self._queue.clear()
        self._listed = False
        self._inflows = {n: i for n, i in self._inflows.items() if i.given_id}
        for inflow in self._inflows.values():
            inflow.begin_anew()

    def head(self, conversation: str) -> int:
        """
        Return the last known number; 0 if there is none.
        """
        inflow = self._inflows.get(conversation)
        return inflow.head if inflow else 0

    def took(self, conversation: str, seq: int, message_id: int) -> None:
        """
        Record that the program has processed a message.
        """
        if conversation in self._inflows:
            self._inflows[conversation].took(seq, message_id)

    @property
    def settled(self) -> bool:
        """
        L{True} if no message that is known to exist is missing.
        """
        return not self._queue and not self._open

    def merge(self, heads: Iterable[Head], *, complete: bool) -> list[str]:
        """
        Apply the known lengths of conversations.

        @param complete: the list of changed conversations ends with these.
        @return: the conversations that are shorter than what the program was given.
        """
        shorter = []
        for head in heads:
            inflow = self._inflows.get(head.conversation)
            if inflow is None:
                at = self._begin(head)
                self._inflows[head.conversation] = Inflow(at, at, head.head)
            else:
                inflow.raise_head(head.head)
                if head.head < inflow.seq:
                    shorter.append(head.conversation)
            self._look_at(head.conversation)
        self._listed = self._listed or complete
        return shorter

    def delivered(self, message: Deliver) -> bool:
        """
        Process a message that arrived live.

        @return: L{False} if it has a number that the program was given already, and is
            not known to be the same message.
        """
        inflow = self._inflows.get(message.conversation)
        known = inflow is None or message.seq > inflow.seq
        self._arrived(message)
        self._look_at(message.conversation)
        return known or message.message_id in self._recent

    def is_rewound_in(self, page: Page) -> bool:
        """
        Return L{True} if a page answers a sync, and the server's conversation ends
        before the number that the sync named.
        """
        name = self._open.get(page.id)
        return name is not None and page.head < self._inflows[name].sync_after

    def page(self, page: Page, now: float) -> bool:
        """
        Process a page.

        @return: L{True} if it answers a sync of this object.
        """
        name = self._open.pop(page.id, None)
        if name is None:
            return False
        inflow = self._inflows[name]
        inflow.end_sync()
        messages = [m for m in page.messages if m.conversation == name]
        if messages:
            inflow.raise_head(page.head)
            self._walk(inflow, messages)
        elif inflow.held:
            # The page ends before the held messages; a repeat would give the same now.
            self._not_before = max(self._not_before, now + _STALE_S)
        else:
            inflow.end_at(inflow.seq)
        self._look_at(name)
        return True

    def refused(self, sync_id: str, retry_at: float | None) -> bool:
        """
        Process an error as the answer to a sync.

        @param retry_at: the time to ask again; L{None}: never, as for a group that the
            user has left: the held messages are all that will come.
        @return: L{True} if it answers a sync of this object.
        """
        name = self._open.pop(sync_id, None)
        if name is None:
            return False
        inflow = self._inflows[name]
        inflow.end_sync()
        if retry_at is None:
            self._give_up(inflow)
            self._look_at(name)
        else:
            self._not_before = max(self._not_before, retry_at)
            self._look_at(name)
        return True

    def _give_up(self, inflow: Inflow) -> None:
        """
        Give the held messages to the program, since no others will come.
        """
        while inflow.held and self._room() > 0:
            inflow.skip_to(min(inflow.held))
            self._release(inflow)
        inflow.end_at(max(inflow.held, default=inflow.seq))

    def lost(self) -> None:
        """
        Forget the open syncs of a lost connection.
        """
        self._open.clear()
        self._not_before = 0.0
        for name, inflow in self._inflows.items():
            inflow.end_sync()
            self._look_at(name)

    def due(self, now: float) -> list[Sync]:
        """
        Return the queries to send now.
        """
        frames: list[Sync] = []
        while self._may_ask(now):
            name = next(iter(self._queue))
            del self._queue[name]
            inflow = self._inflows[name]
            inflow.take_turn()
            self._release(inflow)
            if inflow.behind:
                self._made += 1
                inflow.sync(f"i{self._made}")
                self._open[inflow.sync_id] = name
                frames.append(Sync(inflow.sync_id, name, inflow.seq))
        return frames

    def next_due(self, now: float) -> float | None:
        """
        Return the time at which L{due} will return more if nothing happens until then.
        """
        if not self._queue or len(self._open) >= _SYNCS:
            return None
        if self._room() < self._refill:
            return None
        return max(now, self._not_before)

    def _may_ask(self, now: float) -> bool:
        due = self.next_due(now)
        return due is not None and due <= now

    def _begin(self, head: Head) -> int:
        match self._start:
            case "beginning":
                return 0
            case "delivered":
                return min(head.delivered, head.head)
            case "latest":
                return 0 if self._listed else head.head

    def _arrived(self, message: Deliver) -> None:
        inflow = self._inflows.get(message.conversation)
        if inflow is None:
            at = self._begin_live(message)
            if at is None:
                return
            inflow = self._inflows[message.conversation] = Inflow(at, at, at)
        inflow.raise_head(message.seq)
        self._pass_on(inflow, message)

    def _walk(self, inflow: Inflow, messages: Iterable[Deliver]) -> None:
        before = inflow.seq
        for message in messages:
            if message.seq > before + 1 and inflow.seq >= before:
                # No message there is for this user; a wait would never end.
                if not is_group(message.conversation):
                    _log.warning(
                        "%s: the server has no message between %d and %d",
                        *(message.conversation, before, message.seq),
                    )
                inflow.skip_to(message.seq)
            inflow.raise_head(message.seq)
            self._pass_on(inflow, message)
            before = message.seq

    def _pass_on(self, inflow: Inflow, message: Deliver) -> None:
        if message.seq <= inflow.seq:
            return
        if message.seq == inflow.seq + 1 or len(inflow.held) < _HELD:
            inflow.held[message.seq] = message
            self._release(inflow)

    def _release(self, inflow: Inflow) -> None:
        while inflow.held and self._room() > 0:
            following = inflow.next_held()
            if following is None:
                break
            if inflow.before and (
                following.message_id in self._recent or inflow.is_known(following)
            ):
                inflow.skip(following)
                continue
            inflow.give(following)
            self._remember(inflow, following.message_id)
            self._give(following)

    def _remember(self, inflow: Inflow, message_id: int) -> None:
        self._recent[message_id] = inflow
        if len(self._recent) > _RECENT:
            oldest = next(iter(self._recent))
            self._recent.pop(oldest).know(oldest)

    def _begin_live(self, message: Deliver) -> int | None:
        """
        Return the start of a conversation that a live message is the first sign of;
        L{None} if the list of conversations, which is still to come, decides it.
        """
        if self._listed or self._start == "beginning":
            return 0
        return message.seq - 1 if self._start == "latest" else None

    def _look_at(self, name: str) -> None:
        inflow = self._inflows.get(name)
        if inflow is None:
            return
        if not inflow.behind:
            inflow.held.clear()
        elif not inflow.queued and not inflow.sync_id:
            inflow.wait_for_turn()
            self._queue[name] = None
