"""
C{wsmsg token}, and the tokens of other commands, signed with the key of this machine.
"""

from __future__ import annotations

import json
import re
import time
from pathlib import Path

import click
import jwt

from wsmsg.auth.local_key import TokenKeyUnusable, local_key
from wsmsg.cli.paths import data_dir_of, data_dir_option, fail
from wsmsg.model import INT64_MAX

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}


def make_token(user: int, key: str, expires_s: float, now_s: float) -> str:
    """
    Make a token for a user.
    """
    claims = {"sub": str(user), "iat": int(now_s), "exp": int(now_s + expires_s)}
    return jwt.encode(claims, key, algorithm="HS256")


def local_token(user: int, data_dir: Path, expires_s: float = 3600.0) -> str:
    """
    Make a token with the key in the data directory, and the key if it is missing.

    @raise click.ClickException: the key cannot be used.
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
            self.fail(f"{text!r} is not a user id, a number from 1", param, ctx)
        if not 1 <= int(text) <= INT64_MAX:
            self.fail(f"{text} is not between 1 and {INT64_MAX}", param, ctx)
        return int(text)


class Duration(click.ParamType[float]):
    """
    A duration in seconds, written C{90s}, C{15m}, C{12h}, C{1d} or C{2w}.
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


@click.command()
@click.argument("user_id", metavar="[USER]", type=UserId(), required=False)
@click.option("--user", type=UserId(), help="The user, instead of the argument.")
@click.option(
    "--expires",
    type=Duration(),
    default="1d",
    show_default=True,
    help="Lifetime of the token: 90s, 15m, 12h, 1d, 2w.",
)
@data_dir_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def token(
    user_id: int | None,
    user: int | None,
    expires: float,
    data_dir: Path | None,
    as_json: bool,
) -> None:
    """
    Print a token for a user, signed with the key of this machine.

    A program with the token can act as that user until the token expires. The key is
    DATA_DIR/token.key; the command creates it if it is missing. A Connect with another
    key in its settings rejects the token.

    \b
    Examples:
      wsmsg token 1001
      wsmsg token --user 1001 --expires 12h
      curl -H "Authorization: Bearer $(wsmsg token 1001)" ...
    """
    if (user is None) == (user_id is None):
        raise click.UsageError("name one user, such as: wsmsg token 1001")
    who = user if user is not None else user_id
    assert who is not None
    text = local_token(who, data_dir_of(data_dir), expires)
    if as_json:
        until = int(time.time() + expires)
        click.echo(json.dumps({"token": text, "user": who, "expires": until}))
    else:
        click.echo(text)
