"""
Tokens, signed with the key of this machine.
"""

from __future__ import annotations

import re
import time
from pathlib import Path

import click
import jwt

from wsmsg.auth.local_key import TokenKeyUnusable, local_key
from wsmsg.cli.paths import fail
from wsmsg.model import INT64_MAX

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}


def make_token(user: int, key: str, expires_s: float, now_s: float) -> str:
    """
    A token that says that its bearer is this user.
    """
    claims = {"sub": str(user), "iat": int(now_s), "exp": int(now_s + expires_s)}
    return jwt.encode(claims, key, algorithm="HS256")


def local_token(user: int, data_dir: Path, expires_s: float = 3600.0) -> str:
    """
    A token signed with the key in the data folder, which is made when it is missing.

    @raise click.ClickException: there is no key that can be used.
    """
    try:
        key = local_key(data_dir)
    except TokenKeyUnusable as error:
        fail(str(error))
    return make_token(user, key, expires_s, time.time())


class UserId(click.ParamType[int]):
    """
    A positive int64.
    """

    name = "user"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> int:
        text = str(value)
        if not (text.isascii() and text.isdecimal() and len(text) <= 19):
            self.fail(f"{text!r} is no user id, a number from 1 up", param, ctx)
        if not 1 <= int(text) <= INT64_MAX:
            self.fail(f"{text} is not between 1 and {INT64_MAX}", param, ctx)
        return int(text)


class Duration(click.ParamType[float]):
    """
    C{90s}, C{15m}, C{12h}, C{1d} or C{2w}, as seconds.
    """

    name = "duration"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        if isinstance(value, float):
            return value
        found = re.fullmatch(r"([0-9]{1,9})([smhdw])", str(value), re.ASCII)
        if found is None or int(found[1]) == 0:
            self.fail(f"{value!r} is not like 90s, 15m, 12h, 1d or 2w", param, ctx)
        return float(int(found[1]) * _UNITS[found[2]])
