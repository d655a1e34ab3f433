"""
One conversation, as its messages arrive.

When the server has another history, numbers begin anew, and messages of both histories
are recognized by their ids: those of the last messages are remembered, and ids rise
with time, so a lower one under a number that the program was given before is known too.
"""

from __future__ import annotations

import attrs

from wsmsg.protocol.frames import Deliver, Head, Page

#: Messages that are recognized by their ids.
RECENT = 4096


@attrs.frozen
class Position:
    """
    The program's position in a conversation.

    @ivar seq: the last number that the program processed.
    @ivar head: the last known number.
    @ivar message_id: the id of the last message that the program processed.
    @ivar before: in an earlier history of which it has not reached the end yet, the
        last number that the program was given; then C{message_id} is the highest id
        that it processed.
    """

    seq: int
    head: int
    message_id: int = 0
    before: int = 0


NOWHERE = Position(0, 0)


@attrs.define(slots=True)
class Inflow:
    """
    One conversation.

    @ivar seq: the last number that the program was given; C{taken}: that it processed.
    @ivar held: messages after a gap.
    @ivar last: the last message that the program was given, or has from before.
    @ivar sync_id: of the open sync, which asks for what follows C{sync_seq}; empty if
        none is open.  Its page begins with the message C{sync_last}, if that has a
        number, and shows by its id that the server still has the same history.
    @ivar queued: the conversation waits for its turn to sync.
    @ivar unsure: the server may have another message in the place of C{last}, so the
        program is given nothing until a page tells.
    @ivar confirmed: the server has C{last}, as it said on this connection.
    @ivar continues: the next sync continues a page that has just come.
    @ivar given_id: the highest id of a message that the program was given; C{taken_id}:
        the id of the last one that it processed; C{highest_id}: the highest of those.
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
    highest_id: int = 0
    known_id: int = 0
    before: int = 0
    untaken: int = 0
    stale: int = 0
    held: dict[int, Deliver] = attrs.field(factory=dict)
    last: Position = NOWHERE
    sync_id: str = ""
    sync_seq: int = 0
    sync_last: Position = NOWHERE
    queued: bool = False
    unsure: bool = False
    confirmed: bool = False
    continues: bool = False

    @classmethod
    def resumed(cls, p: Position) -> Inflow:
        """
        Return the state of an earlier run.
        """
        # Nothing is kept that would show another history among the repeats: those are
        # read again, and recognized.
        seq = 0 if p.before else p.seq
        return cls(
            seq,
            seq,
            max(p.seq, p.head),
            given_id=p.message_id,
            taken_id=p.message_id,
            highest_id=p.message_id,
            known_id=p.message_id,
            before=p.before,
            last=NOWHERE if p.before else p,
        )

    @property
    def position(self) -> Position:
        """
        The state from which a later run can continue.
        """
        if self.taken < self.before:
            return Position(self.taken, self.head, self.highest_id, self.before)
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
        self.last = NOWHERE
        self.held.clear()
        self.sync_id, self.queued = "", False
        self.unsure = self.confirmed = self.continues = False

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
        self.highest_id = max(self.highest_id, message_id)
        if self.stale:
            self.stale -= 1
        else:
            self.taken, self.taken_id = seq, message_id

    def agrees_with(self, head: Head) -> bool:
        """
        Process the end of the conversation, as a list has it.

        @return: L{False} if that may be of another history.
        """
        self.raise_head(head.head)
        if head.head > self.seq:
            # The next page tells; until then, a live message may be of another one.
            self.doubt()
            return True
        if head.head < self.seq:
            # A message that came while the list was on its way is not in it.
            return self.confirmed
        if self.last.seq != head.head or 0 in (head.message_id, self.last.message_id):
            return True
        same = self.last.message_id == head.message_id
        self.confirmed = self.confirmed or same
        return same

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

    def outdate(self) -> None:
        """
        Note that messages may have been missed, so that C{last} is to be confirmed.
        """
        self.confirmed = self.continues = False

    def drop_held(self) -> None:
        """
        Drop the messages after a gap, to ask for them: what follows the gap may be of
        another history.
        """
        self.held.clear()

    def doubt(self) -> None:
        """
        Give nothing until L{confirm} is called.
        """
        self.outdate()
        self.unsure = True

    def confirm(self) -> None:
        """
        Note that the server has C{last}.
        """
        self.unsure, self.confirmed = False, True

    def sync(self, sync_id: str) -> int:
        """
        Begin a sync.

        @return: the number after which it asks.
        """
        self.sync_id, self.sync_seq = sync_id, self.seq
        compared = self.last.message_id and not self.continues
        self.sync_last = self.last if compared else NOWHERE
        self.continues = False
        return self.last.seq - 1 if compared else self.seq

    def is_rewound_in(self, page: Page) -> bool:
        """
        Return L{True} if the answer to the open sync shows that the server's
        conversation ends before what the program was given, or is another one.
        """
        return is_other(page, self.sync_seq, self.sync_last)

    def end_sync(self) -> None:
        self.sync_id = ""

    def end_page(self) -> None:
        """
        Note that all messages of a page arrived; the next one may follow it.
        """
        self.continues = self.behind and not self.unsure


def is_other(page: Page, seq: int, last: Position) -> bool:
    """
    Return L{True} if a page ends before a number, or begins with another message in the
    place of C{last}.
    """
    if page.head < seq:
        return True
    if not page.messages or page.messages[0].seq != last.seq:
        return False
    return last.message_id not in (0, page.messages[0].message_id)


class KnownIds:
    """
    The ids of the L{RECENT} messages that the program was given last, in all
    conversations, and of as many that came under known numbers and are asked about.
    """

    def __init__(self) -> None:
        self._given: dict[int, Inflow] = {}
        self._questions: dict[int, None] = {}

    def __contains__(self, message_id: int) -> bool:
        return message_id in self._given

    def add(self, message_id: int, inflow: Inflow) -> None:
        """
        Note a message that the program is given.
        """
        self._given[message_id] = inflow
        if len(self._given) > RECENT:
            oldest = next(iter(self._given))
            self._given.pop(oldest).know(oldest)

    def is_question(self, message_id: int) -> bool:
        """
        Return L{True}, once, for a message that is not known; its repeats are no
        reason to ask again.
        """
        if message_id in self._given or message_id in self._questions:
            return False
        self._questions[message_id] = None
        if len(self._questions) > RECENT:
            del self._questions[next(iter(self._questions))]
        return True

    def forget_questions(self) -> None:
        """
        Begin a connection, or a history.
        """
        self._questions.clear()
