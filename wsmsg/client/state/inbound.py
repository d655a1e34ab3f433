"""
What we are to be given: each message once, in number order, with no hole.

For every conversation there is one number that matters, the last that was given to
the program (C{seq}), and one that says how much there is (C{head})::

    deliver seq+1   give it, then what was held back behind it
    deliver <= seq  a repeat: drop it
    deliver > seq+1 a gap: hold it back, ask sync after seq
    head > seq      the same without a message to hold back
    a page          whole up to its last message: what is missing in it is not for us

Live and synced messages thus meet in one place, and it does not matter which of
them is first.  A conversation that is behind waits its turn, because only so many
syncs are open at once, and while the program does not take what it was given.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from typing import Literal

import attrs

from wsmsg.model import is_group
from wsmsg.protocol.frames import Deliver, Head, Page, Sync

#: Where a conversation begins that we have no position for: with its first message,
#: after what the user has on some device already, or with what is new from now on.
Start = Literal["beginning", "delivered", "latest"]

_HELD = 256
_SYNCS = 4
_STALE_S = 1.0

_log = logging.getLogger("wsmsg.client")


@attrs.frozen
class Position:
    """
    Where the program is in a conversation.

    @ivar seq: the last number that it took.
    @ivar head: the last number that we know of.
    """

    seq: int
    head: int


@attrs.define(slots=True)
class _Inflow:
    """
    One conversation.

    @ivar seq: the last number that was given; C{taken}: that the program is done with.
    @ivar held: what came after a gap.
    @ivar sync_id: of the open sync; empty: none is open.
    @ivar queued: whether it waits for its turn to sync.
    """

    seq: int
    taken: int
    head: int
    held: dict[int, Deliver] = attrs.field(factory=dict)
    sync_id: str = ""
    queued: bool = False

    @property
    def behind(self) -> bool:
        return self.head > self.seq


class Inbound:
    """
    All conversations of the user.

    @param give: called with each message, in order.
    @param room: how many messages the program may still be given now.
    @param refill: nothing is asked for while there is room for fewer.
    @param start: where a conversation without a position begins.
    @param positions: of an earlier run.
    @param listed: whether an earlier run had heard of all conversations.
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
            name: _Inflow(p.seq, p.seq, max(p.seq, p.head))
            for name, p in (positions or {}).items()
        }
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
        What an earlier run needs to be in order to go on from here.
        """
        return {n: Position(i.taken, i.head) for n, i in self._inflows.items()}

    def head(self, conversation: str) -> int:
        """
        The last number that we know of; 0: none.
        """
        inflow = self._inflows.get(conversation)
        return inflow.head if inflow else 0

    def took(self, conversation: str, seq: int) -> None:
        """
        The program has this message and is done with it.
        """
        self._inflows[conversation].taken = seq

    @property
    def settled(self) -> bool:
        """
        Whether nothing is missing of what we know to be there.
        """
        return not self._queue and not self._open

    def merge(self, heads: Iterable[Head], *, complete: bool) -> None:
        """
        These conversations are known to be this long.

        @param complete: with these all that changed was listed.
        """
        for head in heads:
            inflow = self._inflows.get(head.conversation)
            if inflow is None:
                at = self._begin(head)
                self._inflows[head.conversation] = _Inflow(at, at, head.head)
            else:
                inflow.head = max(inflow.head, head.head)
            self._look_at(head.conversation)
        self._listed = self._listed or complete

    def delivered(self, message: Deliver) -> None:
        """
        A message came by itself.
        """
        self._arrived(message)
        self._look_at(message.conversation)

    def page(self, page: Page, now: float) -> bool:
        """
        A page came.

        @return: whether it is one of those that were asked for here.
        """
        name = self._open.pop(page.id, None)
        if name is None:
            return False
        inflow = self._inflows[name]
        inflow.sync_id = ""
        messages = [m for m in page.messages if m.conversation == name]
        if messages:
            inflow.head = max(inflow.head, page.head)
            self._walk(inflow, messages)
        elif inflow.held:
            # It does not know yet of what we hold; asking at once gives the same.
            self._not_before = max(self._not_before, now + _STALE_S)
        else:
            inflow.head = inflow.seq
        self._look_at(name)
        return True

    def refused(self, sync_id: str, retry_at: float | None) -> bool:
        """
        A sync was answered with an error.

        @param retry_at: when to ask again; L{None}: never, as of a group that we are
            in no more: what we hold of it is all that we will get.
        @return: whether it is one of those that were asked for here.
        """
        name = self._open.pop(sync_id, None)
        if name is None:
            return False
        inflow = self._inflows[name]
        inflow.sync_id = ""
        if retry_at is None:
            self._give_up(inflow)
            self._look_at(name)
        else:
            self._not_before = max(self._not_before, retry_at)
            self._look_at(name)
        return True

    def _give_up(self, inflow: _Inflow) -> None:
        """
        Nothing but what is held is to be had.
        """
        while inflow.held and self._room() > 0:
            inflow.seq = min(inflow.held) - 1
            self._release(inflow)
        inflow.head = max(inflow.held, default=inflow.seq)

    def lost(self) -> None:
        """
        The connection is gone and what was asked on it will not be answered.
        """
        self._open.clear()
        self._not_before = 0.0
        for name, inflow in self._inflows.items():
            inflow.sync_id = ""
            self._look_at(name)

    def due(self, now: float) -> list[Sync]:
        """
        What is to be asked now.
        """
        frames: list[Sync] = []
        while self._may_ask(now):
            name = next(iter(self._queue))
            del self._queue[name]
            inflow = self._inflows[name]
            inflow.queued = False
            self._release(inflow)
            if inflow.behind:
                self._made += 1
                inflow.sync_id = f"i{self._made}"
                self._open[inflow.sync_id] = name
                frames.append(Sync(inflow.sync_id, name, inflow.seq))
        return frames

    def next_due(self, now: float) -> float | None:
        """
        When L{due} will give more if nothing happens until then.
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
            inflow = self._inflows[message.conversation] = _Inflow(at, at, at)
        inflow.head = max(inflow.head, message.seq)
        self._pass_on(inflow, message)

    def _walk(self, inflow: _Inflow, messages: Iterable[Deliver]) -> None:
        before = inflow.seq
        for message in messages:
            if message.seq > before + 1 and inflow.seq >= before:
                # Nothing there is for us; waiting would be for ever.
                if not is_group(message.conversation):
                    _log.warning(
                        "%s: the server has no message between %d and %d",
                        *(message.conversation, before, message.seq),
                    )
                inflow.seq = message.seq - 1
            inflow.head = max(inflow.head, message.seq)
            self._pass_on(inflow, message)
            before = message.seq

    def _pass_on(self, inflow: _Inflow, message: Deliver) -> None:
        if message.seq <= inflow.seq:
            return
        if message.seq == inflow.seq + 1 or len(inflow.held) < _HELD:
            inflow.held[message.seq] = message
            self._release(inflow)

    def _release(self, inflow: _Inflow) -> None:
        while inflow.held and self._room() > 0:
            following = inflow.held.pop(inflow.seq + 1, None)
            if following is None:
                break
            inflow.seq += 1
            self._give(following)

    def _begin_live(self, message: Deliver) -> int | None:
        """
        Where a conversation begins that we first hear of by a message; L{None}: that
        is for the list to say, which is still to come.
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
            inflow.queued = True
            self._queue[name] = None
