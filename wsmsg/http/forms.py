"""
What calls of Message's HTTP API say and are told: values in JSON.

An integer may be a JSON number or, as most programs know those up to 2^53 only, a
string of digits.  What may be larger is answered as a string.
"""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus
from typing import Annotated

import msgspec

from wsmsg.errors import BadRequest, WsmsgError
from wsmsg.model import INT64_MAX

_EXACT = 2**53

Id = Annotated[
    int | str,
    msgspec.Meta(
        description="From 1 to 2^63-1; a number, or a string of its digits.",
        examples=[1001, "4611686018427387904"],
    ),
]


class Form(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """
    What somebody may say; a field that is not known is refused.
    """


class Answer(msgspec.Struct, kw_only=True):
    """
    What somebody is told.
    """


class Problem(Answer):
    """
    Why something was refused (RFC 9457).

    @ivar type: always C{about:blank}.
    @ivar title: the name of the status.
    @ivar detail: one sentence for a person.
    @ivar code: a name of the table of errors, the same as in the client protocol.
    """

    type: str
    title: str
    status: int
    detail: str
    code: str


class Refusal(Answer):
    """
    Why something was refused, as the deployed daemons tell it.

    @ivar error: one sentence for a person.
    @ivar code: a name of the table of errors.
    """

    error: str
    code: str


def problem(error: WsmsgError, status: int = 0) -> Problem:
    """
    The document that tells of an error.

    @param status: the HTTP status, where it is not the error's own.
    """
    status = status or error.http_status
    return Problem(
        type="about:blank",
        title=HTTPStatus(status).phrase,
        status=status,
        detail=error.reason,
        code=error.code,
    )


def spell(number: int) -> int | str:
    """
    An id in JSON.
    """
    return number if number < _EXACT else str(number)


def whole(given: int | str, name: str, *, least: int = 1) -> int:
    """
    An id or a number that somebody gave.

    @raise BadRequest: it is not between C{least} and 2^63-1.
    """
    if isinstance(given, str) and given.isascii() and given.isdecimal():
        given = int(given[:20])
    if isinstance(given, int) and least <= given <= INT64_MAX:
        return given
    raise BadRequest(f"{name} must be a whole number from {least} to 2^63-1")


def users_in(given: Sequence[Id], most: int) -> list[int]:
    """
    Users that somebody named.

    @raise BadRequest: these are too many, or not users.
    """
    if len(given) > most:
        raise BadRequest(f"{len(given)} users in one request; at most {most}")
    return [whole(user, "a user") for user in given]


def place(after: str) -> tuple[int, str]:
    """
    Where in a user's conversations a page begins: a time and a conversation.

    @raise BadRequest: no answer gave this.
    """
    if not after:
        return 0, ""
    time_ms, _, conversation = after.partition(":")
    if not conversation:
        raise BadRequest("after must be what an answer gave as next")
    return whole(time_ms, "after", least=0), conversation
