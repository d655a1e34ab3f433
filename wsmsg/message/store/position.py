"""
Positions: how far a list of conversations has told its reader what changed.

A position is a text that only the store reads.  It holds no time.  Inside is one change
number for each I{shard}, a part of the store whose changes one process numbers at a
time; a conversation that changed at that number or above is told by the next list.

A list of several pages gives a position with each page: the position at which the list
began (C{end}), which is the reader's when the list is complete, and the place where the
page ended.  A reader that begins anew instead, on another connection, begins behind
what it was told (L{StorePosition.restarted}).

A position has a I{code}, which only the store can make: a digest of its content, keyed
with the secret of the store.  It tells a position that the store gave from any other
(L{wsmsg.message.store.numbers}).  Positions of earlier versions have none.
"""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error
from hashlib import blake2b
from hmac import compare_digest

import msgspec

from wsmsg.errors import BadRequest
from wsmsg.model import INT64_MAX

#: A longer text is no position.
LONGEST = 16_384

#: In place of a position: list nothing, and begin behind what is stored now.
NOW = "now"

_CODE_BYTES = 12


class StorePosition(msgspec.Struct, frozen=True, array_like=True, omit_defaults=True):
    """
    The content of a position.

    @ivar epoch: the full name of the history that the numbers belong to
        (L{wsmsg.message.store.history}).
    @ivar since: the change number of each shard from which on changes are untold; 0 for
        a shard that is missing.
    @ivar end: the numbers when a list began that is not complete yet.
    @ivar place: the place in that list, as the store describes it; empty: none.
    @ivar code: of the rest; empty: none.
    """

    epoch: str = ""
    since: dict[int, int] = {}
    end: dict[int, int] = {}
    place: tuple[int | str, ...] = ()
    code: bytes = b""

    def encode(self) -> str:
        """
        Return the text for clients.
        """
        return urlsafe_b64encode(msgspec.msgpack.encode(self)).rstrip(b"=").decode()

    def restarted(self) -> StorePosition:
        """
        Return the position for a new list: behind everything that the list in progress
        has told, and complete in itself.
        """
        if not self.place:
            return self
        # What changed while the list was being read may lie behind its place.
        behind = {s: min(n, self.end.get(s, 0)) for s, n in self.since.items()}
        return StorePosition(self.epoch, behind)

    def sealed(self, secret: str) -> StorePosition:
        """
        Return the position with its code.

        @param secret: of the store, in hexadecimal; empty: it has none, and makes no
            codes.
        """
        if not secret:
            return self
        content = msgspec.structs.replace(self, code=b"")
        key = bytes.fromhex(secret)
        data = msgspec.msgpack.encode(content)
        code = blake2b(data, key=key, digest_size=_CODE_BYTES).digest()
        return msgspec.structs.replace(self, code=code)

    def is_sealed(self, secret: str) -> bool:
        """
        Return whether the store with this secret made the code.
        """
        return bool(secret) and compare_digest(self.sealed(secret).code, self.code)


def decode_position(text: str) -> StorePosition:
    """
    Return the content of a position; that of the beginning, if it is not one.
    """
    if not text or len(text) > LONGEST:
        return StorePosition()
    try:
        data = urlsafe_b64decode(text + "=" * (-len(text) % 4))
        position = _decoder.decode(data)
    except (Error, ValueError, UnicodeEncodeError, msgspec.MsgspecError):
        return StorePosition()
    numbers = (*position.since.values(), *position.end.values())
    shards = (*position.since, *position.end)
    places = (p for p in position.place if isinstance(p, int))
    if all(-1 <= n <= INT64_MAX for n in (*numbers, *shards, *places)):
        return position
    return StorePosition()


def checked_position(text: str) -> str:
    """
    Return the C{next} of an earlier answer of the HTTP API.

    @raise BadRequest: no answer has it.
    """
    if text and decode_position(text) == StorePosition():
        raise BadRequest("after must be the next of an earlier answer")
    return text


_decoder = msgspec.msgpack.Decoder(StorePosition)
