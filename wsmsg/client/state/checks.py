"""
Checks of what the program passes to the client, before anything is queued.

A frame that no codec can encode, or that the server cannot decode, must never be
queued: it would have no answer, and would be repeated on each connection.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import Any, TypeVar

import msgspec

from wsmsg.errors import BadFrame, BadRequest
from wsmsg.model import FIRST_EVENT
from wsmsg.names import number_in
from wsmsg.protocol.frames import Frame, Send
from wsmsg.protocol.validation import check_frame

_F = TypeVar("_F", bound=Frame)

#: A user, by number or by name.
User = int | str


def checked(frame: _F) -> _F:
    """
    Return a frame with valid fields, each of exactly the type that the codecs expect.

    @raise TypeError: a field is of another type.
    @raise BadRequest: a field has a value that the server does not accept.
    """
    kind = type(frame)
    changed = {}
    for name, full_name, convert in _fields(kind):
        value = getattr(frame, name)
        converted = convert(value, full_name)
        if converted is not value:
            changed[name] = converted
    if changed:
        frame = msgspec.structs.replace(frame, **changed)
    try:
        check_frame(frame)  # type: ignore[arg-type]  # of the client's frames
    except BadFrame as error:
        raise BadRequest(error.reason) from None
    problem = _send_problem(frame) if isinstance(frame, Send) else ""
    if problem:
        raise BadRequest(problem)
    return frame


def apart(users: Iterable[User]) -> tuple[tuple[int, ...], tuple[str, ...]]:
    """
    Divide users into those with numbers, digits included, and those with names.
    """
    if isinstance(users, str):
        raise TypeError("users must be several, not a str")
    numbers: dict[int, None] = {}
    names: dict[str, None] = {}
    for user in users:
        number = number_in(user) if isinstance(user, str) and user else user
        if isinstance(user, str) and not number:
            names[user] = None
        else:
            numbers[number] = None  # type: ignore[index]  # checked later, as others
    return tuple(numbers), tuple(names)


def one_of(user: User) -> tuple[int, str]:
    """
    Return the number of a user, digits included, or 0 and the name.
    """
    if not isinstance(user, str):
        return user, ""
    number = number_in(user) if user else 0
    return number, "" if number else user


def _send_problem(frame: Send) -> str:
    """
    Return what is wrong with a message; empty: nothing.
    """
    if frame.to and frame.group:
        return "both to and group are set"
    if not frame.to and not frame.group and not frame.to_name:
        return "neither to nor group is set"
    if frame.kind >= FIRST_EVENT:
        return f"kinds from {FIRST_EVENT} on are reserved for the server"
    return "content has the character U+0000" if "\0" in frame.content else ""


def _text(value: Any, name: str) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{name} must be a str, not {type(value).__name__}")
    try:
        value.encode("utf-8")
    except UnicodeEncodeError as error:
        raise BadRequest(
            f"{name} has half a character at {error.start}, a lone surrogate"
        ) from None
    return value if type(value) is str else str.__str__(value)


def _number(value: Any, name: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"{name} must be an int, not {type(value).__name__}")
    return value if type(value) is int else int.__int__(value)


def _flag(value: Any, name: str) -> bool:
    if not isinstance(value, bool):
        raise TypeError(f"{name} must be a bool, not {type(value).__name__}")
    return value


def _numbers(value: Any, name: str) -> tuple[int, ...]:
    numbers = tuple(_number(one, name) for one in value)
    return value if value == numbers and type(value) is tuple else numbers


def _texts(value: Any, name: str) -> tuple[str, ...]:
    texts = tuple(_text(one, name) for one in value)
    return value if value == texts and type(value) is tuple else texts


_CONVERT: dict[type[msgspec.inspect.Type], Callable[[Any, str], Any]] = {
    msgspec.inspect.StrType: _text,
    msgspec.inspect.IntType: _number,
    msgspec.inspect.BoolType: _flag,
    msgspec.inspect.VarTupleType: _numbers,
}


@lru_cache(maxsize=32)
def _fields(kind: type[Frame]) -> Sequence[tuple[str, str, Callable[[Any, str], Any]]]:
    """
    Return the name, the full name and the check of each field of a kind of frame.
    """
    info = msgspec.inspect.type_info(kind)
    assert isinstance(info, msgspec.inspect.StructType), info
    return [
        (field.name, f"{info.tag}.{field.name}", _conversion(field.type))
        for field in info.fields
    ]


def _conversion(kind: msgspec.inspect.Type) -> Callable[[Any, str], Any]:
    if isinstance(kind, msgspec.inspect.VarTupleType) and isinstance(
        kind.item_type, msgspec.inspect.StrType
    ):
        return _texts
    return _CONVERT[type(kind)]
