"""
C{wsmsg token}.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import click

from wsmsg.cli.paths import config_option, data_dir_option, fail, settings_of
from wsmsg.cli.say import say
from wsmsg.cli.sign import TOKENS, TokenSigner
from wsmsg.cli.user_options import Duration, UserName
from wsmsg.settings.sources import resolve_data_dir
from wsmsg.settings.values import ConnectSettings


class TokenCommand(click.Command):
    """
    C{wsmsg token USER}, or C{wsmsg token check}.
    """

    def make_context(
        self,
        info_name: str | None,
        args: list[str],
        parent: click.Context | None = None,
        **extra: Any,
    ) -> click.Context:
        if args[:1] != ["check"]:
            return super().make_context(info_name, args, parent, **extra)
        from wsmsg.cli.token.check import check

        return check.make_context(f"{info_name} check", args[1:], parent, **extra)


@click.command(cls=TokenCommand)
@click.argument("user_id", metavar="[USER]", type=UserName(), required=False)
@click.option("--user", type=UserName(), help="The user, instead of the argument.")
@click.option(
    "--expires",
    type=Duration(),
    default="1d",
    show_default=True,
    help="Lifetime of the token: 90s, 15m, 12h, 1d, 2w.",
)
@config_option("Connect's settings file: sign what Connect believes.")
@click.option(
    "--key",
    "key_file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="File with the private half of connect.token.public_key, as PEM, or with a "
    "private key of connect.token.jwks, as JWK or PEM.",
)
@click.option("--kid", default="", help="The id of that key in the issuer's key set.")
@data_dir_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def token(
    user_id: int | str | None,
    user: int | str | None,
    expires: float,
    config: Path | None,
    key_file: Path | None,
    kid: str,
    data_dir: Path | None,
    as_json: bool,
) -> None:
    """
    Print a token for a user, or explain a token (wsmsg token check --help).

    A program with the token can act as that user until the token expires. Without
    --config the token is signed with DATA_DIR/token.key, which the command creates if
    it is missing. With --config it has the algorithm, the key, the issuer and the
    audience that the file (and the environment) asks for.

    \b
    Examples:
      wsmsg token 1001
      wsmsg token --user 1001 --expires 12h
      wsmsg token --config /etc/wsmsg/wsmsg.toml 1001
      wsmsg token --config /etc/wsmsg/wsmsg.toml --key issuer.jwk 1001
      wsmsg token anna@example.org    (where users.names is true)
      wsmsg token 1001 | wsmsg token check
      curl -H "Authorization: Bearer $(wsmsg token 1001)" ...
    """
    if (user is None) == (user_id is None):
        raise click.UsageError("name one user, such as: wsmsg token 1001")
    who = user if user is not None else user_id
    assert who is not None
    private_key = _read(key_file) if key_file else ""
    settings = settings_of(ConnectSettings, config, data_dir, needs=TOKENS)
    # Without a file, nothing says whether the users of that Connect have names.
    names = settings.users.names or config is None
    if isinstance(who, str) and not names:
        fail(f"{who!r} is a name, and the settings have users.names = false")
    data_dir = resolve_data_dir(settings)
    signer = TokenSigner(settings.token, data_dir, private_key, kid, names)
    now_s = time.time()
    text = signer.sign(who, expires, now_s)
    if as_json:
        until = int(now_s + expires)
        say(json.dumps({"token": text, "user": who, "expires": until}))
    else:
        say(text)


def _read(file: Path) -> str:
    try:
        return file.read_text("ascii")
    except (OSError, UnicodeDecodeError) as error:
        fail(f"{file}: {getattr(error, 'strerror', None) or 'it is not PEM text'}")
