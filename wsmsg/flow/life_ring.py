"""
The passing facts of messages that a daemon remembers, for C{wsmsg where}: a ring of
entries of 64 bytes, the oldest of which are overwritten.

Each entry is found by a key of 64 bits: of the sender and the client id while a send
has no message id, else of the message id.  The keys lie together, so that a search
reads an eighth of the ring.  They are hashes, so that none looks like parts of two
others.  Texts are cut off at 26 bytes.
"""

from __future__ import annotations

import time
from array import array
from collections.abc import Callable, Iterator, Sequence
from enum import IntEnum
from struct import Struct
from typing import NamedTuple, Protocol

from wsmsg.model import Message

# Unix time, user, number, extra, stage, text.
_ENTRY = Struct("<dqqiH26s")
_KEY = Struct("=q")
_SIZE = _ENTRY.size
_pack_into = _ENTRY.pack_into
_KEY_SIZE = _KEY.size
#: The most facts of one message that are given.
MOST_FACTS = 1000


class Stage(IntEnum):
    """
    The kind of a fact: what is in the fields of its L{LifeFact}.
    """

    #: A session received the send: user, number of the session, text: the device.
    RECEIVED = 1
    #: A session was answered: likewise; text: the code of the error, empty: accepted.
    ANSWERED = 2
    #: Message took the record from the journal: number: the offset, extra: partition.
    FETCHED = 3
    #: The store has the message: number: its seq.
    STORED = 4
    #: The push is queued for a Connect: extra: its users; text: the Connect.
    PUSHED = 5
    #: The message is in the outbox of a session: as for RECEIVED.
    WRITTEN = 6


# Looking up a member of an enumeration takes longer than the rest of a key.
_RECEIVED, _ANSWERED, _, _STORED, _PUSHED, _WRITTEN = map(int, Stage)


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


#: A link, and the messages that it gets, each with its users there.
ToLink = tuple[NotedLink, Sequence[tuple[Message, Sequence[int]]]]


class LifeRing:
    """
    The last facts.

    @param records: how many; 0: none.
    @param unix_s: returns the unix time.
    """

    def __init__(
        self, records: int = 0, unix_s: Callable[[], float] = time.time
    ) -> None:
        self._unix_s = unix_s
        self._records = records
        self._keys = array("q", bytes(_KEY_SIZE * records))
        # Written, so that the memory of the process does not grow with the first facts.
        self._entries = bytearray(b"\0") * (_SIZE * records)
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

        @param key: of L{send_key} or L{message_key}.
        """
        if not self._records:
            return
        at, now_s = self._next, self._unix_s()
        data = text.encode("utf-8", "replace") if text else b""
        self._keys[at] = key
        _pack_into(self._entries, at * _SIZE, now_s, user, number, extra, stage, data)
        at += 1
        if at == self._records:
            at, self._is_full = 0, True
        self._next = at

    def received(self, session: NotedSession, client_id: str) -> None:
        """
        Note that a session received a send.
        """
        user = session.user
        key = hash((user, client_id))
        self.note(_RECEIVED, key, user, session.number, 0, session.device)

    def answered(self, session: NotedSession, client_id: str, code: str) -> None:
        """
        Note the answer to a send.

        @param code: of the error; empty: it is accepted.
        """
        user = session.user
        key = hash((user, client_id))
        self.note(_ANSWERED, key, user, session.number, 0, code)

    def written(self, key: int, session: NotedSession) -> None:
        """
        Note that a message is in the outbox of a session.

        @param key: of L{message_key}.
        """
        self.note(_WRITTEN, key, session.user, session.number, 0, session.device)

    def pushed(self, messages: Sequence[Message], to_links: Sequence[ToLink]) -> None:
        """
        Note that messages are stored, and which links get them.
        """
        note = self.note
        for message in messages:
            key = hash((message.message_id,))
            note(_STORED, key, message.sender, message.seq)
        for link, pushes in to_links:
            for message, users in pushes:
                key = hash((message.message_id,))
                note(_PUSHED, key, 0, 0, len(users), link.node)

    def facts(self, *keys: int) -> tuple[list[LifeFact], int]:
        """
        Return the facts with these keys, the oldest first, at most L{MOST_FACTS} of
        them; and how many others there are.
        """
        places = [place for key in keys for place in self._places(_KEY.pack(key))]
        found = [self._fact(place) for place in places[:MOST_FACTS]]
        return sorted(found, key=_by_time), len(places) - len(found)

    def _fact(self, place: int) -> LifeFact:
        now_s, user, number, extra, stage, data = _ENTRY.unpack_from(
            self._entries, place * _SIZE
        )
        text = data.rstrip(b"\0").decode("utf-8", "ignore")
        return LifeFact(stage, int(now_s * 1000), user, number, extra, text)

    def _places(self, needle: bytes) -> Iterator[int]:
        """
        Yield the places of the entries with a key, in the order of their making.
        """
        keys, at = self._keys.tobytes(), self._next * _KEY_SIZE
        spans = [(at, len(keys)), (0, at)] if self._is_full else [(0, at)]
        for begin, end in spans:
            place = keys.find(needle, begin, end)
            while place >= 0:
                if place % _KEY_SIZE == 0:
                    yield place // _KEY_SIZE
                place = keys.find(needle, place + 1, end)


def _by_time(fact: LifeFact) -> int:
    return fact.time_ms
