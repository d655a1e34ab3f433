"""
One conversation, as its messages arrive.

When the server has another history, numbers begin anew, and messages of both histories
are recognized by their ids: those of the last messages are remembered, and ids rise
with time, so a lower one under a number that the program was given before is known too.
"""

from __future__ import annotations

import attrs

from wsmsg.protocol.frames import Deliver


@attrs.frozen
class Position:
    """
    The program's position in a conversation.

    @ivar seq: the last number that the program processed.
    @ivar head: the last known number.
    @ivar message_id: the id of the last message that the program processed.
    @ivar before: in an earlier history of which it has not reached the end yet, the
        last number that the program was given; then C{message_id} is the highest id
        there.
    """

    seq: int
    head: int
    message_id: int = 0
    before: int = 0


@attrs.define(slots=True)
class Inflow:
    """
    One conversation.

    @ivar seq: the last number that the program was given; C{taken}: that it processed.
    @ivar held: messages after a gap.
    @ivar last: the last message that the program was given, or has from before.
    @ivar sync_id: of the open sync, which asks for what follows C{sync_after}; empty if
        none is open.
    @ivar queued: the conversation waits for its turn to sync.
    @ivar given_id: the highest id of a message that the program was given; C{taken_id}:
        the id of the last one that it processed.
    @ivar known_id: the program was given all messages with ids up to this one.
    @ivar before: in an earlier history, the last number that the program was given.
    @ivar untaken: messages that the program was given and has not processed;
        C{stale}: how many of them, the first ones, are of an earlier history.
    """

    seq: int
    taken: int
    head: int
    given_id: int = 0
    taken_id: int = 0
    known_id: int = 0
    before: int = 0
    untaken: int = 0
    stale: int = 0
    held: dict[int, Deliver] = attrs.field(factory=dict)
    last: Position = Position(0, 0)
    sync_id: str = ""
    sync_after: int = 0
    queued: bool = False

    @classmethod
    def resumed(cls, p: Position) -> Inflow:
        """
        Return the state of an earlier run.
        """
        return cls(
            p.seq,
            p.seq,
            max(p.seq, p.head),
            given_id=p.message_id,
            taken_id=p.message_id,
            known_id=p.message_id,
            before=p.before,
            last=Position(0, 0) if p.before else p,
        )

    @property
    def position(self) -> Position:
        """
        The state from which a later run can continue.
        """
        if self.taken < self.before:
            return Position(self.taken, self.head, self.given_id, self.before)
        return Position(self.taken, self.head, self.taken_id)

    @property
    def behind(self) -> bool:
        return self.head > self.seq

    def begin_anew(self) -> None:
        """
        Forget the numbers, which belong to another history.
        """
        self.before = max(self.before, self.seq)
        self.seq = self.taken = self.head = 0
        self.stale = self.untaken
        self.last = Position(0, 0)
        self.held.clear()
        self.sync_id, self.queued = "", False

    def is_known(self, message: Deliver) -> bool:
        """
        Return L{True} if the program was given this message in an earlier history,
        long ago.
        """
        return message.seq <= self.before and message.message_id <= self.known_id

    def skip(self, message: Deliver) -> None:
        """
        Go on to a message that the program has.
        """
        self.last = Position(message.seq, message.seq, message.message_id)
        if self.taken == message.seq - 1:
            self.taken, self.taken_id = message.seq, message.message_id

    def give(self, message: Deliver) -> None:
        """
        Note that the program is given a message.
        """
        self.untaken += 1
        self.last = Position(message.seq, message.seq, message.message_id)
        self.given_id = max(self.given_id, message.message_id)

    def know(self, message_id: int) -> None:
        """
        Note that a message which the program was given is not remembered by its own
        id any more.
        """
        self.known_id = max(self.known_id, message_id)

    def took(self, seq: int, message_id: int) -> None:
        """
        Note what the program processed.
        """
        self.untaken -= 1
        if self.stale:
            self.stale -= 1
        else:
            self.taken, self.taken_id = seq, message_id

    def raise_head(self, seq: int) -> None:
        self.head = max(self.head, seq)

    def end_at(self, seq: int) -> None:
        """
        Expect no message after this one.
        """
        self.head = seq

    def skip_to(self, seq: int) -> None:
        """
        Expect no message before this one.
        """
        self.seq = seq - 1

    def next_held(self) -> Deliver | None:
        """
        Take the message that comes next, if it is held.
        """
        following = self.held.pop(self.seq + 1, None)
        if following is not None:
            self.seq += 1
        return following

    def wait_for_turn(self) -> None:
        self.queued = True

    def take_turn(self) -> None:
        self.queued = False

    def sync(self, sync_id: str) -> None:
        self.sync_id, self.sync_after = sync_id, self.seq

    def end_sync(self) -> None:
        self.sync_id = ""
