"""
C{wsmsg chat}.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import sys
from pathlib import Path

import click

from wsmsg.cli.chat.target import ChatTarget
from wsmsg.cli.paths import fail
from wsmsg.cli.say import say
from wsmsg.cli.user_options import (
    Duration,
    GroupName,
    UserName,
    token_source,
    user_options,
)
from wsmsg.client import BadPositions, Client
from wsmsg.errors import BadRequest, WsmsgError
from wsmsg.text.counted import counted


@click.command()
@user_options
@click.option("--target", type=UserName(), help="The user to talk to.")
@click.option(
    "--group", type=GroupName(), help="The group to talk in, instead of a user."
)
@click.option(
    "--device",
    default="",
    help="Name of this device; a newer login with it ends the older one.",
)
@click.option(
    "--position-file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="File that keeps unsent messages across a crash.",
)
@click.option(
    "--codec",
    type=click.Choice(["protobuf", "json"]),
    default="protobuf",
    help="Form of the frames.",
)
@click.option(
    "--timeout",
    type=Duration(),
    default="30s",
    show_default=True,
    help="From a pipe: give up after so long without an acceptance.",
)
@click.option(
    "--json",
    "as_json",
    is_flag=True,
    help="From a pipe: print a JSON line for each message.",
)
@click.option("--debug", is_flag=True, help="Log to stderr (on a terminal: to a file).")
def chat(
    user: int | str,
    target: int | str | None,
    group: int | None,
    url: str,
    token: str | None,
    token_file: Path | None,
    device: str,
    position_file: Path | None,
    ca: Path | None,
    codec: str,
    timeout: float,
    data_dir: Path | None,
    as_json: bool,
    debug: bool,
) -> None:
    """
    Talk to another user, or in a group.

    On a terminal the chat begins with the history. Your messages have marks: … being
    sent, ✓ accepted (it will not be lost), ✓✓ delivered, ✓✓ read. After a lost
    connection the chat reconnects and sends each message that was not accepted, once.
    Lines that begin with / are commands: /help lists them, Tab completes them. If you
    leave while messages are not accepted, the chat asks; without --position-file they
    are lost, and the exit status is 1.

    From a pipe each line is a message (empty lines are skipped), and the exit status is
    0 only if all of them were accepted. Standard error says why there is no connection.

    Without a token, the command signs one with the key in the data directory, like
    `wsmsg token`; that works on the machine of the daemons.

    \b
    Examples:
      wsmsg chat --user 1001 --target 1002
      printf 'one\\ntwo\\n' | wsmsg chat --user 1001 --target 1002 && echo accepted
      wsmsg chat --user 1001 --group 4611686018427387904
      wsmsg chat --user anna@example.org --target berta    (with users.names)
      wsmsg chat --user 7 --target 8 --url wss://chat.example --token-file t.jwt
    """
    if (target is None) is (group is None):
        raise click.UsageError("give either --target USER or --group GROUP")
    talk = ChatTarget(user, target or 0, group or 0)
    piped = not sys.stdin.isatty()
    _log(debug, piped, user)
    source = token_source(user, token, token_file, data_dir)
    try:
        client = Client(
            url,
            source,
            device or f"chat-{socket.gethostname()[:32]}-{os.getpid()}",
            codec="json" if codec == "json" else "protobuf",
            position_file=position_file,
            start="delivered",
            ca=ca,
        )
    except (BadPositions, BadRequest) as error:
        fail(str(error))
    if piped:
        asyncio.run(_pipe(client, talk, timeout, as_json))
    else:
        asyncio.run(_screen(client, talk, str(position_file or "")))


async def _pipe(
    client: Client, talk: ChatTarget, timeout_s: float, as_json: bool
) -> None:
    from wsmsg.cli.chat.pipe import NotAccepted, send_lines

    try:
        await send_lines(
            client,
            talk,
            sys.stdin.buffer,
            timeout_s=timeout_s,
            as_json=as_json,
            say=say,
            warn=lambda text: say(text, err=True),
        )
    except NotAccepted as error:
        fail(str(error))
    finally:
        await client.close()


async def _screen(client: Client, talk: ChatTarget, kept_in: str) -> None:
    from prompt_toolkit import print_formatted_text
    from prompt_toolkit.formatted_text import FormattedText

    from wsmsg.cli.chat.screen import STYLE, ChatScreen

    try:
        try:
            talk = await talk.numbered(client)
        except WsmsgError as error:
            fail(error.reason)
        screen = ChatScreen(client, talk, kept_in)
        closed = await screen.run()
        unsent, rows = client.unsent, screen.last_rows()
    finally:
        await client.close()
    await screen.sends_ended()
    for row in rows:
        print_formatted_text(FormattedText(row.fragments), style=STYLE)
    if closed is not None:
        fail(closed.reason)
    left = counted(unsent, "message is", "messages are")
    if unsent and kept_in:
        say(f"{left} kept in {kept_in}, to be sent by the next chat")
    elif unsent:
        fail(f"{left} lost, as no server had accepted them")


def _log(debug: bool, piped: bool, user: int | str) -> None:
    if not debug:
        logging.getLogger("wsmsg").addHandler(logging.NullHandler())
        return
    form = "%(asctime)s %(name)s %(levelname)s %(message)s"
    name = None if piped else f"wsmsg-chat-{user}.log"
    logging.basicConfig(level=logging.DEBUG, format=form, filename=name)
