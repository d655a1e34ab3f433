"""
The position file: positions in all conversations, and unsent messages, across restarts.

It is one JSON file that is replaced atomically::

    {"version": 1, "user": 1001, "position": "k7B0...", "epoch": "1f86e9d2c07b3a54",
     "conversations": {"u:1001:1002": [7, 9, 7414093726351360]},
     "unsent": [{"client_id": "...", "to": 1002, "group": 0, "content": "...",
                 "kind": 1},
                {"client_id": "...", "type": "change_group", "group": 5, "add": [7]}],
     "witness": "lKg1YjA4..."}

A conversation has the last number that the program processed, the last known one, and
the id of the last message that the program processed; perhaps a fourth number, see
L{wsmsg.client.state.inflow.Position}.  An unsent entry has the fields of its frame;
without a type it is a message.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from functools import reduce
from operator import or_
from pathlib import Path
from typing import Annotated, Any

import attrs
import msgspec

from wsmsg.client.state.checks import checked
from wsmsg.client.state.inflow import Position
from wsmsg.errors import BadRequest
from wsmsg.protocol.frames import ClientFrame, Submission

_VERSION = 1


class BadPositions(Exception):
    """
    The position file is not valid; the text has its name and the reason.
    """


@attrs.frozen
class Saved:
    """
    The content of the file.

    @ivar user: the owner of the file; 0 if it has none yet.
    @ivar position: of the last complete list of conversations; empty if there was none.
    @ivar epoch: the name of the server's history; empty if it is not known.
    @ivar witness: the text that proves how far the server was; empty if there is none.
    @ivar invalid: the unsent messages that cannot be sent, by client id, and why.
    """

    user: int = 0
    position: str = ""
    epoch: str = ""
    positions: Mapping[str, Position] = attrs.field(factory=dict)
    unsent: tuple[Submission, ...] = ()
    invalid: Mapping[str, str] = attrs.field(factory=dict)
    witness: str = ""


# The union of all submissions: msgspec tells them apart by their type.
_KINDS = [k for k in ClientFrame.__args__ if issubclass(k, Submission)]
_TAGS = [k.__struct_config__.tag for k in _KINDS]
_ANY: Any = reduce(or_, _KINDS)


def _read_unsent(
    entries: Iterable[dict[str, Any]],
) -> tuple[tuple[Submission, ...], dict[str, str]]:
    """
    Return the frames, and for each that cannot be sent its client id and the reason.

    @raise msgspec.ValidationError: an entry is not a submission of any kind.
    """
    frames: list[Submission] = []
    invalid: dict[str, str] = {}
    for entry in entries:
        fields = {"type": "send", **entry}
        client_id = fields.get("client_id")
        try:
            frames.append(checked(msgspec.convert(fields, _ANY)))
        except (msgspec.ValidationError, TypeError, BadRequest) as error:
            if fields["type"] not in _TAGS or not isinstance(client_id, str):
                raise msgspec.ValidationError(str(error)) from None
            invalid[client_id] = str(error)
    return tuple(frames), invalid


# Two numbers in the files of older clients, three in most others.
_Numbers = Annotated[list[int], msgspec.Meta(min_length=2, max_length=4)]


class _File(msgspec.Struct):
    version: int
    user: int = 0
    position: str = ""
    epoch: str = ""
    conversations: dict[str, _Numbers] = msgspec.field(default_factory=dict)
    unsent: list[dict[str, Any]] = msgspec.field(default_factory=list)
    witness: str = ""


class PositionFile:
    """
    The file, for one program at a time.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._written = b""

    def load(self) -> Saved:
        """
        Read the file; empty if there is none.

        @raise BadPositions: it cannot be read, or is not a position file.
        """
        try:
            file = msgspec.json.decode(self.path.read_bytes(), type=_File)
            unsent, invalid = _read_unsent(file.unsent)
        except FileNotFoundError:
            return Saved()
        except (OSError, msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise BadPositions(f"{self.path}: {error}") from error
        if file.version != _VERSION:
            reason = f"version {file.version} is not {_VERSION}"
            raise BadPositions(f"{self.path}: {reason}")
        return Saved(
            file.user,
            file.position,
            file.epoch,
            {name: Position(*numbers) for name, numbers in file.conversations.items()},
            unsent,
            invalid,
            file.witness,
        )

    def save(
        self,
        *,
        user: int,
        position: str,
        epoch: str,
        positions: Mapping[str, Position],
        unsent: Iterable[Submission],
        witness: str = "",
    ) -> None:
        """
        Replace the file if its content has changed.

        @raise BadPositions: it cannot be written.
        """
        file = _File(
            _VERSION,
            user,
            position,
            epoch,
            {name: list(attrs.astuple(p)) for name, p in positions.items()},
            [msgspec.to_builtins(frame) for frame in unsent],
            witness,
        )
        try:
            data = msgspec.json.encode(file)
        except (ValueError, TypeError, msgspec.MsgspecError) as error:
            raise BadPositions(f"{self.path}: {error}") from error
        if data == self._written:
            return
        try:
            _replace(self.path, data)
        except OSError as error:
            raise BadPositions(f"{self.path}: {error.strerror or error}") from error
        self._written = data


def _replace(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(f"{path.name}.{os.getpid()}.new")
    try:
        # The file has the content of messages: only its owner may read it.
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(new, path)
    except OSError:
        with suppress(OSError):
            os.unlink(new)
        raise
