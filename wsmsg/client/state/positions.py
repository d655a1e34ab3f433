"""
What survives the program: where it is in each conversation, and what it wanted sent.

One JSON file, replaced as a whole, so that it is the old one or the new one whatever
happens between::

    {"version": 1, "user": 1001, "since": 1700000000000,
     "conversations": {"u:1001:1002": [7, 9]},
     "unsent": [{"client_id": "...", "to": 1002, "group": 0, "content": "...",
                 "kind": 1},
                {"client_id": "...", "type": "change_group", "group": 5, "add": [7]}]}

A conversation's numbers are the last that the program took and the last known.  What
is unsent has the fields of its frame; without a type it is a message.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from functools import reduce
from operator import or_
from pathlib import Path
from typing import Any

import attrs
import msgspec

from wsmsg.client.state.inbound import Position
from wsmsg.protocol.frames import ClientFrame, Submission

_VERSION = 1


class BadPositions(Exception):
    """
    The file is not what it should be; the text names it and says why.
    """


@attrs.frozen
class Saved:
    """
    @ivar user: whose file it is; 0: nobody's yet.
    @ivar since: the server's time of the last list of conversations, in unix
        milliseconds; 0: none.
    """

    user: int = 0
    since: int = 0
    positions: Mapping[str, Position] = attrs.field(factory=dict)
    unsent: tuple[Submission, ...] = ()


# The union of all submissions: msgspec tells them apart by their type.
_ANY: Any = reduce(or_, (k for k in ClientFrame.__args__ if issubclass(k, Submission)))


def _frame_of(unsent: dict[str, Any]) -> Submission:
    frame: Submission = msgspec.convert({"type": "send", **unsent}, _ANY)
    return frame


class _File(msgspec.Struct):
    version: int
    user: int = 0
    since: int = 0
    conversations: dict[str, tuple[int, int]] = msgspec.field(default_factory=dict)
    unsent: list[dict[str, Any]] = msgspec.field(default_factory=list)


class PositionFile:
    """
    The file, for the one program that uses it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._written = b""

    def load(self) -> Saved:
        """
        What an earlier run left; nothing where there is no file.

        @raise BadPositions: it cannot be read, or is not a file of ours.
        """
        try:
            file = msgspec.json.decode(self.path.read_bytes(), type=_File)
            unsent = tuple(map(_frame_of, file.unsent))
        except FileNotFoundError:
            return Saved()
        except (OSError, msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise BadPositions(f"{self.path}: {error}") from error
        if file.version != _VERSION:
            reason = f"version {file.version} is not {_VERSION}"
            raise BadPositions(f"{self.path}: {reason}")
        return Saved(
            file.user,
            file.since,
            {name: Position(*numbers) for name, numbers in file.conversations.items()},
            unsent,
        )

    def save(
        self,
        *,
        user: int,
        since: int,
        positions: Mapping[str, Position],
        unsent: Iterable[Submission],
    ) -> None:
        """
        Replace the file, unless it says the same already.

        @raise BadPositions: it cannot be written.
        """
        file = _File(
            _VERSION,
            user,
            since,
            {name: (p.seq, p.head) for name, p in positions.items()},
            list(map(msgspec.to_builtins, unsent)),
        )
        data = msgspec.json.encode(file)
        if data == self._written:
            return
        try:
            _replace(self.path, data)
        except OSError as error:
            raise BadPositions(f"{self.path}: {error.strerror or error}") from error
        self._written = data


def _replace(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f"{path.name}.{os.getpid()}.new")
    # What people wrote is in it: nobody else may read it.
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    os.replace(beside, path)
