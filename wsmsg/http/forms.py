"""
Values in requests and answers of an HTTP API.

An integer may be a JSON number or, because most programs represent integers exactly
only up to 2^53, a string of digits.  Answers have larger ones as strings.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Annotated

import msgspec

from wsmsg.errors import BadRequest
from wsmsg.model import INT64_MAX

_EXACT = 2**53
#: The most digits; 2^63-1 has 19.  Longer text is no number, not a part of one.
_DIGITS = re.compile(r"[0-9]{1,20}")

Id = Annotated[
    int | str,
    msgspec.Meta(
        description="From 1 to 2^63-1; a number, or a string of its digits.",
        examples=[1001, "4611686018427387904"],
    ),
]


class Form(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """
    The body of a request; an unknown field is an error.
    """


class Answer(msgspec.Struct, kw_only=True):
    """
    The body of an answer.
    """


def to_json_id(number: int) -> int | str:
    """
    Return an id as JSON has it: from 2^53 on as a string.
    """
    return number if number < _EXACT else str(number)


def parse_int(given: int | str, name: str, *, least: int = 1) -> int:
    """
    Return a number that a request has.

    @param name: what the error calls it.
    @raise BadRequest: it is not an integer between C{least} and 2^63-1.
    """
    if isinstance(given, str) and _DIGITS.fullmatch(given):
        given = int(given)
    if isinstance(given, int) and least <= given <= INT64_MAX:
        return given
    raise BadRequest(f"{name} must be an integer from {least} to 2^63-1")


def parse_users(given: Sequence[Id], limit: int) -> list[int]:
    """
    Return the users that a request names.

    @raise BadRequest: they are more than C{limit}, or one is not a user id.
    """
    if len(given) > limit:
        raise BadRequest(f"{len(given)} users in one request; at most {limit}")
    return [parse_int(user, "a user") for user in given]
