"""
The passing facts of messages that a daemon remembers, for C{wsmsg where}: a ring of
entries of 64 bytes, the oldest of which are overwritten.

Each entry is found by a key of 64 bits: of the sender and the client id while a send
has no message id, then of the message id; of a confirmation, of the conversation.  The
keys lie together, so that a search reads an eighth of the ring.  They are hashes, so
that none looks like parts of two others.  Texts are cut off at 26 bytes.

A message is noted some five times, so the methods write the ring without the help of
others, and those that note several facts read the clock once.
"""

from __future__ import annotations

import time
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from enum import IntEnum
from itertools import islice
from struct import Struct
from typing import NamedTuple, Protocol

from wsmsg.model import Cursor, Message

# Unix time, user, number, extra, stage, text.
_ENTRY = Struct("<dqqiH26s")
_KEY = Struct("=q")
_SIZE = _ENTRY.size
_pack_into = _ENTRY.pack_into
_KEY_SIZE = _KEY.size
#: The most facts of one message that are given.
MOST_FACTS = 1000
#: The most confirmations of one conversation that are looked at, the last ones.
MOST_CONFIRMATIONS = 10_000


class Stage(IntEnum):
    """
    The kind of a fact: what is in the fields of its L{LifeFact}.
    """

    #: A session received the send: user, number of the session, text: the device.
    RECEIVED = 1
    #: A session was answered: likewise; text: the code of the error, empty: accepted.
    ANSWERED = 2
    #: Message took the record from the journal: number: the offset, extra: partition,
    #: user: the unix time of the record in milliseconds, 0: not known.
    FETCHED = 3
    #: The store has the message, and no Connect gets it: number: its seq.
    STORED = 4
    #: The push is queued for a Connect: extra: its users; text: the Connect; number:
    #: the seq in the store, which has it since then; 0: an older version, which notes
    #: that apart.
    PUSHED = 5
    #: The message is in the outbox of a session: as for RECEIVED.
    WRITTEN = 6
    #: A device of the user has what is up to a seq of the conversation: number.
    DELIVERED = 7
    #: The user has read it: likewise.
    READ = 8
    #: The message is traced: user and number: the halves of the id of the trace.
    TRACED = 9


# Looking up a member of an enumeration takes longer than the rest of a key.
_RECEIVED, _ANSWERED, _FETCHED, _STORED, _PUSHED, _WRITTEN, _DELIVERED, _READ, _ = map(
    int, Stage
)

# A fact that is noted with others: key, user, number, extra, stage, text.
_Row = tuple[int, int, int, int, int, bytes]


class LifeFact(NamedTuple):
    """
    A fact about one message; L{Stage} says what the fields mean.
    """

    stage: int
    time_ms: int
    user: int
    number: int
    extra: int
    text: str


def send_key(sender: int, client_id: str) -> int:
    """
    Return the key of a send; every process has its own.
    """
    return hash((sender, client_id))


def message_key(message_id: int) -> int:
    """
    Return the key of a message.
    """
    return hash((message_id,))


def conversation_key(name: str) -> int:
    """
    Return the key of the confirmations in a conversation; every process has its own.
    """
    return hash((name,))


class NotedSession(Protocol):
    """
    A session, as facts name it.
    """

    @property
    def user(self) -> int: ...

    @property
    def number(self) -> int: ...

    @property
    def device(self) -> str: ...


class NotedLink(Protocol):
    """
    A link to a Connect, as facts name it.
    """

    node: str


class NotedRecord(Protocol):
    """
    A record of the journal.
    """

    @property
    def partition(self) -> int: ...

    @property
    def offset(self) -> int: ...

    @property
    def message(self) -> Message | None: ...

    @property
    def time_ms(self) -> int: ...


#: A link, and the messages that it gets, each with its users there.
ToLink = tuple[NotedLink, Sequence[tuple[Message, Sequence[int]]]]


class LifeRing:
    """
    The last facts.

    @param records: how many; 0: none.
    @param unix_s: returns the unix time.
    """

    __slots__ = (
        "_begun_ms",
        "_entries",
        "_is_full",
        "_keys",
        "_next",
        "_records",
        "_size",
        "_unix_s",
    )

    def __init__(
        self, records: int = 0, unix_s: Callable[[], float] = time.time
    ) -> None:
        self._unix_s = unix_s
        self._records = records
        # Without facts there is room for one, so that nobody has to ask before a note.
        self._size = max(records, 1)
        self._keys = array("q", bytes(_KEY_SIZE * self._size))
        # Written, so that the memory of the process does not grow with the first facts.
        self._entries = bytearray(b"\0") * (_SIZE * self._size)
        self._next = 0
        self._begun_ms = int(unix_s() * 1000)
        self._is_full = False

    @property
    def since_ms(self) -> int:
        """
        The unix time in milliseconds since which all facts are remembered; 0: none is.
        """
        if not self._records:
            return 0
        if not self._is_full:
            return self._begun_ms
        return int(_ENTRY.unpack_from(self._entries, self._next * _SIZE)[0] * 1000)

    # ------------------------------------------------------------------- one fact

    def note(
        self,
        stage: int,
        key: int,
        user: int = 0,
        number: int = 0,
        extra: int = 0,
        text: str = "",
    ) -> None:
        """
        Remember a fact of now.

        @param key: of L{send_key}, L{message_key} or L{conversation_key}.
        """
        self._note_all([(key, user, number, extra, stage, _cut(text))])

    def received(self, session: NotedSession, client_id: str) -> None:
        """
        Note that a session received a send.
        """
        at, user = self._next, session.user
        self._keys[at] = hash((user, client_id))
        data, now_s = session.device.encode("utf-8", "replace"), self._unix_s()
        number = session.number
        _pack_into(self._entries, at * _SIZE, now_s, user, number, 0, _RECEIVED, data)
        self._next = at + 1
        if at + 1 == self._size:
            self._next, self._is_full = 0, True

    def answered(self, session: NotedSession, client_id: str, code: str) -> None:
        """
        Note the answer to a send.

        @param code: of the error; empty: it is accepted.
        """
        at, user = self._next, session.user
        self._keys[at] = hash((user, client_id))
        data, now_s = code.encode() if code else b"", self._unix_s()
        number = session.number
        _pack_into(self._entries, at * _SIZE, now_s, user, number, 0, _ANSWERED, data)
        self._next = at + 1
        if at + 1 == self._size:
            self._next, self._is_full = 0, True

    # -------------------------------------------------------------- several facts

    def written(self, message_id: int, sessions: Iterable[NotedSession]) -> None:
        """
        Note that a message is in the outboxes of sessions.
        """
        at, size, key = self._next, self._size, hash((message_id,))
        keys, entries, now_s = self._keys, self._entries, self._unix_s()
        for s in sessions:
            keys[at] = key
            data, user, number = s.device.encode("utf-8", "replace"), s.user, s.number
            _pack_into(entries, at * _SIZE, now_s, user, number, 0, _WRITTEN, data)
            at += 1
            if at == size:
                at, self._is_full = 0, True
        self._next = at

    def fetched(self, records: Iterable[NotedRecord]) -> None:
        """
        Note that records were read from the journal.
        """
        self._note_all(
            [
                (hash((m.message_id,)), r.time_ms, r.offset, r.partition, _FETCHED, b"")
                for r in records
                if (m := r.message) is not None
            ]
        )

    def pushed(self, messages: Sequence[Message], to_links: Sequence[ToLink]) -> None:
        """
        Note that messages are stored, and which links get them.
        """
        at, size, now_s, noted = self._next, self._size, self._unix_s(), 0
        keys, entries = self._keys, self._entries
        for link, pushes in to_links:
            node = link.node.encode("utf-8", "replace")
            noted += len(pushes)
            for m, users in pushes:
                keys[at] = hash((m.message_id,))
                seq, n = m.seq, len(users)
                _pack_into(entries, at * _SIZE, now_s, 0, seq, n, _PUSHED, node)
                at += 1
                if at == size:
                    at, self._is_full = 0, True
        self._next = at
        if noted < len(messages) or len(to_links) > 1:
            self._stored(messages, to_links)

    def _stored(self, messages: Sequence[Message], to_links: Sequence[ToLink]) -> None:
        """
        Note those of the messages that no link gets.
        """
        got = {m.message_id for _, pushes in to_links for m, _ in pushes}
        self._note_all(
            [
                (message_key(m.message_id), m.sender, m.seq, 0, _STORED, b"")
                for m in messages
                if m.message_id not in got
            ]
        )

    def confirmed(self, cursors: Iterable[Cursor]) -> None:
        """
        Note how far users have received and read.
        """
        at, size, now_s = self._next, self._size, self._unix_s()
        keys, entries = self._keys, self._entries
        for c in cursors:
            key, user, read = hash((c.conversation,)), c.user, c.read
            if read < c.delivered:
                up_to, stage = c.delivered, _DELIVERED
                if read:
                    self.note(_READ, key, user, read)
                    at = self._next
            else:
                up_to, stage = read, _READ
            keys[at] = key
            _pack_into(entries, at * _SIZE, now_s, user, up_to, 0, stage, b"")
            at += 1
            if at == size:
                at, self._is_full = 0, True
            self._next = at

    def _note_all(self, rows: Iterable[_Row]) -> None:
        at, size, now_s = self._next, self._size, self._unix_s()
        keys, entries = self._keys, self._entries
        for key, user, number, extra, stage, data in rows:
            keys[at] = key
            _pack_into(entries, at * _SIZE, now_s, user, number, extra, stage, data)
            at += 1
            if at == size:
                at, self._is_full = 0, True
        self._next = at

    # ------------------------------------------------------------------ questions

    def facts(self, *keys: int) -> tuple[list[LifeFact], int]:
        """
        Return the facts with these keys, the oldest first, at most L{MOST_FACTS} of
        them; and how many others there are.
        """
        places = [place for key in keys for place in reversed([*self._latest(key)])]
        found = [self._fact(place) for place in places[:MOST_FACTS]]
        return sorted(found, key=_by_time), len(places) - len(found)

    def confirmations(self, conversation: str, seq: int) -> tuple[list[LifeFact], bool]:
        """
        Return the first confirmations that cover a number: of each user the first
        C{DELIVERED} and the first C{READ}, together at most L{MOST_FACTS}; and whether
        there may be others.
        """
        first: dict[tuple[int, int], LifeFact] = {}
        places = self._latest(conversation_key(conversation))
        for place in islice(places, MOST_CONFIRMATIONS):
            fact = self._fact(place)
            if fact.number >= seq:
                first[fact.user, fact.stage] = fact
        others = len(first) > MOST_FACTS or next(places, None) is not None
        return sorted(first.values(), key=_by_time)[:MOST_FACTS], others

    def _fact(self, place: int) -> LifeFact:
        now_s, user, number, extra, stage, data = _ENTRY.unpack_from(
            self._entries, place * _SIZE
        )
        text = data.rstrip(b"\0").decode("utf-8", "ignore")
        return LifeFact(stage, int(now_s * 1000), user, number, extra, text)

    def _latest(self, key: int) -> Iterator[int]:
        """
        Yield the places of the entries with a key, the last one first.
        """
        if not self._records:
            return
        keys, needle = self._keys.tobytes(), _KEY.pack(key)
        at = self._next * _KEY_SIZE
        spans = [(0, at), (at, len(keys))] if self._is_full else [(0, at)]
        for begin, end in spans:
            place = keys.rfind(needle, begin, end)
            while place >= 0:
                if place % _KEY_SIZE == 0:
                    yield place // _KEY_SIZE
                place = keys.rfind(needle, begin, place + _KEY_SIZE - 1)


def _cut(text: str) -> bytes:
    return text.encode("utf-8", "replace")


def _by_time(fact: LifeFact) -> int:
    return fact.time_ms
