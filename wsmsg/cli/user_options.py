"""
Options of commands that act as a user: the user, the server, the token, and their
types.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit, urlunsplit

import click
import jwt

from wsmsg.cli.operator.ask import NoAnswer
from wsmsg.cli.operator.listener import (
    ADMIN,
    admin_listener,
    ca_option,
    key_file_option,
)
from wsmsg.cli.paths import (
    URL,
    WS_PATH,
    config_option,
    data_dir_of,
    data_dir_option,
    fail,
    settings_of,
)
from wsmsg.cli.sign import local_token
from wsmsg.client import TokenSource
from wsmsg.client.token_source import check_token_source
from wsmsg.errors import BadRequest
from wsmsg.names import group_of_key, name_problem, number_in
from wsmsg.settings.sources import table_of
from wsmsg.settings.values import ConnectSettings, MessageSettings
from wsmsg.text.escape import harmless

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}


class UserName(click.ParamType["int | str"]):
    """
    A positive int64, or a name where users have names.
    """

    name = "user"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> int | str:
        text = str(value)
        number = number_in(text) if text else 0
        if not number and (problem := name_problem(text)):
            self.fail(
                f"{text!r} is neither a user id nor a name: {problem}", param, ctx
            )
        return number or text


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


class ServerUrl(click.ParamType[str]):
    """
    C{ws://host:port}; the default path is added if there is none.
    """

    name = "url"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> str:
        try:
            parts = urlsplit(str(value))
            good = parts.scheme in ("ws", "wss") and parts.hostname
            _ = parts.port
        except ValueError:
            good = None
        if not good:
            self.fail(f"{value!r} is not like ws://127.0.0.1:21005", param, ctx)
        path = parts.path if parts.path not in ("", "/") else WS_PATH
        return urlunsplit(parts._replace(path=path))


class GroupName(click.ParamType[int]):
    """
    A positive int64, or the application's own id of the group.
    """

    name = "group"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> int:
        text = str(value)
        number = number_in(text) if text else 0
        if not number and (problem := name_problem(text)):
            self.fail(f"{text!r} is no group: {problem}", param, ctx)
        return number or group_of_key(text)


def user_options(command: Any) -> Any:
    """
    Add C{--user}, C{--url}, C{--ca}, C{--token}, C{--token-file} and C{--data-dir} to a
    command.
    """
    for option in (
        data_dir_option,
        click.option(
            "--ca",
            type=click.Path(exists=True, dir_okay=False, path_type=Path),
            help="A PEM file with the authorities of a wss: URL.  "
            "[default: the machine's]",
        ),
        click.option(
            "--token-file",
            type=click.Path(dir_okay=False, path_type=Path),
            help="A file with your token; read for each connection.",
        ),
        click.option("--token", envvar="WSMSG_TOKEN", help="Your token."),
        click.option(
            "--url",
            type=ServerUrl(),
            default=URL,
            show_default=True,
            help="Connect's URL.",
        ),
        click.option(
            "--user", type=UserName(), required=True, help="Your user id or name."
        ),
    ):
        command = option(command)
    return command


def token_source(
    user: int | str, token: str | None, file: Path | None, data_dir: Path | None
) -> TokenSource:
    """
    Return the given token, or a reader of the file, or a signer with the key of this
    machine.  A token of another user than C{user} is a mistake.
    """
    if token and file:
        raise click.UsageError("--token and --token-file exclude each other")
    if token:
        try:
            check_token_source(token)
        except BadRequest as error:
            raise click.UsageError(error.reason) from None
        if problem := _other_user(user, token):
            raise click.UsageError(f"--token {problem}")
        return token
    if file is None:
        folder = data_dir_of(data_dir)
        local_token(user, folder)  # reports a mistake now, not while connecting
        return lambda: local_token(user, folder)
    read = _reader(file)
    if problem := _other_user(user, read()):
        raise click.UsageError(f"--token-file {file} {problem}")
    return read


def _other_user(user: int | str, token: str) -> str:
    """
    Return what is wrong if a token is of another user; empty: it is of this one, or
    only the server can tell.
    """
    try:
        claims = jwt.decode(token, options={"verify_signature": False})
    except jwt.InvalidTokenError:
        return ""  # the server says what is wrong with it
    subject = claims.get("sub")
    if not isinstance(subject, str) or not subject:
        return ""
    owner = number_in(subject) or subject
    # A user with a name has a number too, which only the server knows.
    if owner == user or isinstance(owner, str) is not isinstance(user, str):
        return ""
    return f"has the token of user {harmless(subject)}, not of --user {user}"


def _reader(file: Path) -> Callable[[], str]:
    def read() -> str:
        try:
            return file.read_text("ascii").strip()
        except (OSError, UnicodeDecodeError) as error:
            fail(f"{file}: {getattr(error, 'strerror', None) or error}")

    return read


D = TypeVar("D", ConnectSettings, MessageSettings)


def admin_option(daemon: type[D]) -> Callable[[Callable[..., None]], Any]:
    """
    Add the options that say where a daemon is; the command gets its C{admin}, an
    L{AdminListener}.  The command fails with the reason if the daemon does not answer.

    @param daemon: the settings of the daemon.
    """
    name = table_of(daemon)

    def decorate(command: Callable[..., None]) -> Any:
        @functools.wraps(command)
        def with_admin(
            config: Path | None, key_file: Path | None, ca: Path | None, **more: Any
        ) -> None:
            url = more.pop(f"{name}_admin")
            try:
                settings = settings_of(daemon, config, needs=ADMIN, rules=False)
                command(admin=admin_listener(settings, url, key_file, ca), **more)
            except NoAnswer as error:
                fail(str(error))

        title = name.title()
        text = f"URL of {title}'s admin listener.  [default: of the settings]"
        for option in (
            config_option(f"{title}'s settings file: look where it says."),
            click.option(f"--{name}-admin", help=text),
            key_file_option,
            ca_option,
        ):
            with_admin = option(with_admin)
        return with_admin

    return decorate
