"""
The commands C{wsmsg users}, which call Message's HTTP API.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import attrs
import click

from wsmsg.cli.operator.ask import NoAnswer, ask
from wsmsg.cli.operator.listener import ca_option, http_url
from wsmsg.cli.paths import config_option, fail, settings_of
from wsmsg.cli.say import say
from wsmsg.cli.user_options import UserName
from wsmsg.cli.users.times import Time, shown
from wsmsg.settings.values import MessageSettings


@attrs.frozen
class UsersApi:
    """
    Message's HTTP API.

    @ivar key: the caller's key; empty: none.
    @ivar ca: as for L{ask}.
    @ivar certificate: likewise.
    """

    url: str
    key: str = attrs.field(default="", repr=False)
    ca: str = ""
    certificate: str = ""

    def delete(self, path: str, **query: str) -> dict[str, Any]:
        """
        Call C{DELETE /api/v1/users/...}.

        @raise click.ClickException: it failed.
        """
        text = urlencode({name: value for name, value in query.items() if value})
        url = f"{self.url.rstrip('/')}/api/v1/users/{path}?{text}".rstrip("?")
        try:
            return ask(
                url,
                method="DELETE",
                key=self.key,
                ca=self.ca,
                certificate=self.certificate,
            )
        except NoAnswer as error:
            fail(str(error))


def _api_options(command: Callable[..., None]) -> Any:
    """
    Add the options that say where Message is and who calls; C{command} gets its C{api}.
    """

    @functools.wraps(command)
    def with_api(
        url: str | None,
        config: Path | None,
        key_file: Path | None,
        ca: Path | None,
        **more: Any,
    ) -> None:
        try:
            settings = settings_of(
                MessageSettings, config, needs=("listen",), rules=False
            )
            found = url or http_url(settings)
        except NoAnswer as error:
            fail(str(error))
        certificate = "" if url or ca else settings.tls.listen.cert
        key = _key(key_file) if key_file else ""
        command(api=UsersApi(found, key, str(ca or ""), certificate), **more)

    for option in (
        config_option("Message's settings file: call where it says."),
        click.option(
            "--key-file",
            type=click.Path(dir_okay=False, path_type=Path),
            envvar="WSMSG_API_KEY_FILE",
            help="File with a key of the HTTP API.  [default: call without one]",
        ),
        ca_option,
        click.option(
            "--url", help="URL of Message's HTTP API.  [default: of the settings]"
        ),
        click.option("--json", "as_json", is_flag=True, help="Print JSON."),
    ):
        with_api = option(with_api)
    return with_api


@click.group()
def users() -> None:
    """
    End the sessions of a user, and revoke tokens.

    \b
    Examples:
      wsmsg users revoke-tokens 1001
      wsmsg users revoke-tokens 1001 --before 2026-11-30T12:00:00
      wsmsg users end-sessions 1001 --device phone
      wsmsg users end-sessions 1001 --revoke

    The commands call Message's HTTP API; with API keys they need one: --key-file.
    """


@users.command("revoke-tokens")
@click.argument("user", type=UserName())
@click.option(
    "--before",
    type=Time(),
    help="Revoke the tokens issued before this time (UTC).  [default: now]",
)
@_api_options
def revoke_tokens(
    user: int | str, before: int | None, api: UsersApi, as_json: bool
) -> None:
    """
    Revoke the tokens of a user, and end the sessions with them.

    Tokens that are issued later are accepted. A revocation cannot be taken back.
    """
    path = f"{_part(user)}/tokens"
    answer = api.delete(path, before="" if before is None else str(before))
    if as_json:
        say(json.dumps(answer))
    else:
        say(
            f"revoked the tokens of {user} that were issued before "
            f"{shown(int(answer['before_ms']))}; {answer['connects']} Connects know it"
        )


@users.command("end-sessions")
@click.argument("user", type=UserName())
@click.option("--device", default="", help="Only the session of this device.")
@click.option("--reason", default="", help="The reason that the clients see.")
@click.option("--revoke", is_flag=True, help="Revoke all tokens of the user, too.")
@_api_options
def end_sessions(
    user: int | str,
    device: str,
    reason: str,
    revoke: bool,
    api: UsersApi,
    as_json: bool,
) -> None:
    """
    End the sessions of a user.

    The same tokens log in again, unless --revoke makes them void first.
    """
    if device and revoke:
        raise click.UsageError("--revoke concerns all devices; leave --device out")
    path = f"{_part(user)}/sessions" + (f"/{_part(device)}" if device else "")
    answer = api.delete(path, reason=reason, revoke="true" if revoke else "")
    if as_json:
        say(json.dumps(answer))
    else:
        say(f"told {answer['connects']} Connects to end the sessions of {user}")


def _part(text: int | str) -> str:
    """
    Return a part of a URL's path.
    """
    return quote(str(text), safe="")


def _key(file: Path) -> str:
    try:
        key = file.read_text("ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        fail(f"{file}: {getattr(error, 'strerror', None) or 'it is not a key'}")
    if not key or not all("!" <= c <= "~" for c in key):
        fail(f"{file}: it is not a key")
    return key
