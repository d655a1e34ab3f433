"""
Received messages: each once, in the order of numbers, without a gap.

Two numbers matter for each conversation: the last that the program was given (C{seq}),
and the last that exists (C{head})::

    deliver seq+1   give it to the program, then held messages behind it
    deliver <= seq  a repeat, if its id is known: drop it
    deliver > seq+1 a gap: hold the message, send sync after seq - 1
    head > seq      a gap without a message to hold
    a page          complete up to its last message: numbers missing in it are not for
                    this user

A number alone does not make a message known, as an older copy of the server's store
gives numbers a second time.  So a sync asks for the last message once more, and its id
shows that the history is the same; a live message is given at once only if the server
has shown that on this connection, by a page or by its list of what changed; and one
with a known number and an unknown id makes the conversation I{unsure}: nothing of it is
given until a check tells (L{wsmsg.client.state.listing.ServerHistory}).

Live and synced messages meet here, and either may arrive first.  A conversation that is
behind waits for its turn, because the number of open syncs is limited, and because the
program may not take the messages that it already has.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from typing import Literal

from wsmsg.client.state.inflow import Inflow, KnownIds, Position
from wsmsg.model import is_group
from wsmsg.protocol.frames import Deliver, Head, Page, Sync

#: The point from which a conversation without a position is read: from its first
#: message, after the last that the user has on any device, or from now on.
Start = Literal["beginning", "delivered", "latest"]

#: A conversation, and a message in it that the server may not have.
Place = tuple[str, Position]

_HELD = 256
_SYNCS = 4
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
    @ivar suspects: what is to be checked, in this order.
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
        self.suspects: dict[Place, None] = {}
        self._known = KnownIds()
        self._queue: dict[str, None] = {}
        self._open: dict[str, str] = {}
        self._made = 0
        self._listed = listed
        self._current = False
        self._not_before = 0.0
        for name in self._inflows:
            self._look_at(name)

    def positions(self) -> dict[str, Position]:
        """
        Return the positions from which a later run can continue.
        """
        return {name: i.position for name, i in self._inflows.items()}

    def suspect_newest(self) -> None:
        """
        Have the newest message checked that the program was given.
        """
        found = [(name, i.last) for name, i in self._inflows.items()]
        newest = max(found, key=lambda place: place[1].message_id, default=None)
        if newest and newest[1].message_id:
            self.suspects[newest] = None

    def _suspect(self, name: str, inflow: Inflow) -> None:
        """
        Have the last message of a conversation checked, and give nothing more of it
        until L{trust} is called.
        """
        if inflow.last.seq:
            inflow.doubt()
            self.suspects[name, inflow.last] = None

    def trust(self, name: str, last: Position) -> None:
        """
        Note that the server has this message, or will not tell.
        """
        inflow = self._inflows.get(name)
        if inflow and inflow.last == last:
            inflow.confirm()
            self._release(inflow)
            self._look_at(name)

    def outdate(self) -> None:
        """
        Note that messages may have been missed, until the next list is complete.
        """
        self._current = False
        for inflow in self._inflows.values():
            inflow.outdate()
            inflow.drop_held()

    def begin_anew(self) -> None:
        """
        Forget all numbers: the server has another history.  A conversation of which the
        program was given nothing begins as a new one.
        """
        self._open.clear()
        self._queue.clear()
        self._listed = self._current = False
        self.suspects.clear()
        self._known.forget_questions()
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
        if inflow := self._inflows.get(conversation):
            inflow.took(seq, message_id)

    @property
    def settled(self) -> bool:
        """
        L{True} if no message that is known to exist is missing.
        """
        return not self._queue and not self._open

    def merge(self, heads: Iterable[Head], *, complete: bool) -> None:
        """
        Apply the known lengths of conversations.

        @param complete: the list of changed conversations ends with these.
        """
        for head in heads:
            inflow = self._inflows.get(head.conversation)
            if inflow is None:
                at = self._begin(head)
                self._inflows[head.conversation] = Inflow(at, at, head.head)
            elif not inflow.agrees_with(head):
                self._suspect(head.conversation, inflow)
            self._look_at(head.conversation)
        self._listed = self._listed or complete
        self._current = self._current or complete

    def delivered(self, message: Deliver) -> None:
        """
        Process a message that arrived live.
        """
        name = message.conversation
        inflow = self._inflows.get(name)
        if inflow is not None and message.seq <= inflow.seq:
            self._compare(name, inflow, message)
        else:
            self._arrived(message)
            self._look_at(name)

    def _compare(self, name: str, inflow: Inflow, message: Deliver) -> None:
        """
        Have a conversation checked if a message in the place of one that the program
        was given is not known to be the same.
        """
        same = message.message_id == inflow.last.message_id
        if not same and self._known.is_question(message.message_id):
            self._suspect(name, inflow)

    def is_rewound_in(self, page: Page) -> bool:
        """
        Return L{True} if a page answers a sync, and shows another history.
        """
        name = self._open.get(page.id)
        return name is not None and self._inflows[name].is_rewound_in(page)

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
        inflow.confirm()
        self._release(inflow)
        new = [m for m in messages if m.seq > inflow.sync_seq]
        for message in (m for m in new if m.seq <= inflow.seq):
            self._compare(name, inflow, message)
        if new:
            inflow.raise_head(page.head)
            self._walk(inflow, new)
        elif messages and page.head > inflow.seq:
            # There was no room for more than the message that was asked for again.
            inflow.raise_head(page.head)
        elif inflow.held:
            # The page ends before the held messages; a repeat would give the same now.
            self._not_before = max(self._not_before, now + _STALE_S)
        else:
            inflow.end_at(inflow.seq)
        inflow.end_page()
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
            inflow.confirm()
            self._give_up(inflow)
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
        self._known.forget_questions()
        self._not_before = 0.0
        self.outdate()
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
                after = inflow.sync(f"i{self._made}")
                self._open[inflow.sync_id] = name
                frames.append(Sync(inflow.sync_id, name, after))
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
        if inflow.last.seq and not (self._current or inflow.confirmed):
            # Messages may have been missed, and their numbers given to others.
            inflow.doubt()
        elif not inflow.unsure:
            inflow.confirm()
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
        while inflow.held and self._room() > 0 and not inflow.unsure:
            following = inflow.next_held()
            if following is None:
                break
            if inflow.before and (
                following.message_id in self._known or inflow.is_known(following)
            ):
                inflow.skip(following)
                continue
            inflow.give(following)
            self._known.add(following.message_id, inflow)
            self._give(following)

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
            inflow.drop_held()
        elif not inflow.queued and not inflow.sync_id:
            inflow.wait_for_turn()
            self._queue[name] = None
