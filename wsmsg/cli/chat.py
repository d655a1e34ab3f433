"""
C{wsmsg chat}.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import click

from wsmsg.cli.places import URL, WS_PATH, data_dir_of, data_dir_option, fail
from wsmsg.cli.tokens import Duration, UserId, local_token
from wsmsg.client import BadPositions, Client, TokenSource


class ServerUrl(click.ParamType[str]):
    """
    C{ws://host:port}; the usual path is added where there is none.
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


@click.command()
@click.option("--user", type=UserId(), required=True, help="Who you are.")
@click.option("--target", type=UserId(), required=True, help="Whom you talk to.")
@click.option("--url", type=ServerUrl(), default=URL, show_default=True, help="Where.")
@click.option("--token", envvar="WSMSG_TOKEN", help="Your token.")
@click.option(
    "--token-file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="A file with your token; read again whenever one is needed.",
)
@click.option(
    "--device",
    default="",
    help="The name of this device; a newer login under it ends the older.",
)
@click.option(
    "--position-file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Keep here what was not sent yet, so that a crash does not lose it.",
)
@click.option("--codec", type=click.Choice(["protobuf", "json"]), default="protobuf")
@click.option(
    "--timeout",
    type=Duration(),
    default="30s",
    show_default=True,
    help="From a pipe: give up when nothing was accepted for so long.",
)
@data_dir_option
@click.option("--json", "as_json", is_flag=True, help="From a pipe: a JSON line each.")
@click.option("--debug", is_flag=True, help="Log to stderr (a file, on a terminal).")
def chat(
    user: int,
    target: int,
    url: str,
    token: str | None,
    token_file: Path | None,
    device: str,
    position_file: Path | None,
    codec: str,
    timeout: float,
    data_dir: Path | None,
    as_json: bool,
    debug: bool,
) -> None:
    """
    Talk to another user.

    On a terminal the history comes first. What you write is marked: … on its way, ✓
    accepted (it will not be lost), ✓✓ delivered, ✓✓ read. When the connection breaks
    it comes back by itself and sends what was not accepted, once.

    From a pipe each line is a message (empty lines are passed over), and the exit
    status is 0 only when all of them were accepted.

    Without a token one is signed with the key in the data folder, as `wsmsg token`
    does it; that works on the machine of the daemons.

    \b
    Examples:
      wsmsg chat --user 1001 --target 1002
      printf 'one\\ntwo\\n' | wsmsg chat --user 1001 --target 1002 && echo accepted
      wsmsg chat --user 7 --target 8 --url wss://chat.example --token-file t.jwt
    """
    if token and token_file:
        raise click.UsageError("--token and --token-file exclude each other")
    piped = not sys.stdin.isatty()
    _log(debug, piped, user)
    source = _token_source(user, token, token_file, data_dir_of(data_dir))
    try:
        client = Client(
            url,
            source,
            device or f"chat-{socket.gethostname()[:32]}-{os.getpid()}",
            codec="json" if codec == "json" else "protobuf",
            position_file=position_file,
            start="delivered",
        )
    except BadPositions as error:
        fail(str(error))
    if piped:
        asyncio.run(_pipe(client, target, timeout, as_json))
    else:
        asyncio.run(_screen(client, user, target))


async def _pipe(client: Client, target: int, timeout_s: float, as_json: bool) -> None:
    from wsmsg.cli.chat_lines import NotAccepted, send_lines

    try:
        await send_lines(
            client,
            target,
            sys.stdin.buffer,
            timeout_s=timeout_s,
            as_json=as_json,
            say=click.echo,
        )
    except NotAccepted as error:
        fail(str(error))
    finally:
        await client.close()


async def _screen(client: Client, user: int, target: int) -> None:
    from wsmsg.cli.chat_screen import ChatScreen

    try:
        closed = await ChatScreen(client, user, target).run()
        unsent = client.unsent
    finally:
        await client.close()
    if closed is not None:
        fail(closed.reason)
    if unsent:
        fail(f"{unsent} messages were not accepted")


def _token_source(
    user: int, token: str | None, file: Path | None, data_dir: Path
) -> TokenSource:
    if token:
        return token
    if file is None:
        local_token(user, data_dir)  # a mistake is told now, not while connecting
        return lambda: local_token(user, data_dir)
    read = _reader(file)
    read()
    return read


def _reader(file: Path) -> Callable[[], str]:
    def read() -> str:
        try:
            return file.read_text("ascii").strip()
        except (OSError, UnicodeDecodeError) as error:
            fail(f"{file}: {getattr(error, 'strerror', None) or error}")

    return read


def _log(debug: bool, piped: bool, user: int) -> None:
    if not debug:
        logging.getLogger("wsmsg").addHandler(logging.NullHandler())
        logging.getLogger("wsmsg").propagate = False
        return
    form = "%(asctime)s %(name)s %(levelname)s %(message)s"
    name = None if piped else f"wsmsg-chat-{user}.log"
    logging.basicConfig(level=logging.DEBUG, format=form, filename=name)
