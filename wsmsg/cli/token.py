"""
C{wsmsg token}.
"""

from __future__ import annotations

import json
import time
from pathlib import Path

import click

from wsmsg.cli.paths import data_dir_of, data_dir_option
from wsmsg.cli.tokens import Duration, UserId, local_token


@click.command()
@click.argument("user_id", metavar="[USER]", type=UserId(), required=False)
@click.option("--user", type=UserId(), help="The same as the argument.")
@click.option(
    "--expires",
    type=Duration(),
    default="1d",
    show_default=True,
    help="For how long it is good: 90s, 15m, 12h, 1d, 2w.",
)
@data_dir_option
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def token(
    user_id: int | None,
    user: int | None,
    expires: float,
    data_dir: Path | None,
    as_json: bool,
) -> None:
    """
    Print a token for a user, signed with the key of this machine.

    Whoever has it can speak as that user until it expires. The key is
    DATA_DIR/token.key; it is made when there is none yet. A Connect whose settings
    name another key does not believe it.

    \b
    Examples:
      wsmsg token 1001
      wsmsg token --user 1001 --expires 12h
      curl -H "Authorization: Bearer $(wsmsg token 1001)" ...
    """
    if (user is None) == (user_id is None):
        raise click.UsageError("name one user, as in: wsmsg token 1001")
    who = user if user is not None else user_id
    assert who is not None
    text = local_token(who, data_dir_of(data_dir), expires)
    if as_json:
        until = int(time.time() + expires)
        click.echo(json.dumps({"token": text, "user": who, "expires": until}))
    else:
        click.echo(text)
