"""
C{wsmsg groups}.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from functools import wraps
from pathlib import Path
from typing import Any

import attrs
import click

from wsmsg.cli.paths import fail
from wsmsg.cli.say import say
from wsmsg.cli.user_options import (
    Duration,
    GroupName,
    UserName,
    token_source,
    user_options,
)
from wsmsg.client import Client
from wsmsg.errors import WsmsgError
from wsmsg.model import group_conversation, group_in, is_group
from wsmsg.text.counted import counted
from wsmsg.text.escape import harmless

#: What a command does with the client; gives what to print, and the same as JSON.
Task = Callable[[Client], Awaitable[tuple[str, Any]]]


@click.group()
def groups() -> None:
    """
    Create groups, change their members, and invite others.

    \b
    Examples:
      wsmsg groups create --user 1001 "Climbing" 1002 1003
      wsmsg groups list --user 1002
      wsmsg chat --user 1002 --group GROUP
      wsmsg groups leave --user 1002 GROUP
      wsmsg groups invite --user 1001 GROUP 1004
      wsmsg groups invitations --user 1004
      wsmsg groups accept --user 1004 GROUP

    \b
    In a script:
      group=$(wsmsg groups create --user 1001 --id ticket-17 "Ticket 17" 1002)
      echo "It is down again" | wsmsg chat --user 1001 --group "$group"

    `create` and `list` print the number of a group.
    """


def asks(command: Callable[..., Task]) -> Any:
    """
    Make a command that connects as a user, does one task and reports the result.
    """

    @wraps(command)
    def run(
        user: int | str,
        url: str,
        ca: Path | None,
        token: str | None,
        token_file: Path | None,
        data_dir: Path | None,
        timeout: float,
        as_json: bool,
        **more: Any,
    ) -> None:
        source = token_source(user, token, token_file, data_dir)
        device = f"groups-{socket.gethostname()[:32]}-{os.getpid()}"
        task = command(user=user, **more)

        def connect() -> Client:
            return Client(url, source, device, start="latest", ca=ca)

        text, document = asyncio.run(one_task(connect, task, timeout))
        say(json.dumps(document) if as_json else text)

    as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
    timeout = click.option(
        "--timeout",
        type=Duration(),
        default="30s",
        show_default=True,
        help="Time limit.",
    )
    return user_options(timeout(as_json(run)))


async def one_task(
    connect: Callable[[], Client], task: Task, timeout_s: float
) -> tuple[str, Any]:
    """
    Connect, do one task, and disconnect.

    @return: the text to print, and the same as JSON.
    @raise click.ClickException: the task failed; the text has the reason.
    """
    client = connect()
    try:
        async with asyncio.timeout(timeout_s):
            await client.connect()
            return await task(client)
    except TimeoutError:
        why = getattr(client.state, "reason", "") or "the server does not answer"
        fail(f"no result within {timeout_s:g} s: {why}")
    except WsmsgError as error:
        fail(f"{error.code}: {error.reason}")
    finally:
        await client.close()


@groups.command()
@asks
@click.option("--history", is_flag=True, help="New members can read all messages.")
@click.option(
    "--id",
    "client_id",
    default="",
    help="Your id of this request; a repeat with the same id makes no second group.",
)
@click.argument("name")
@click.argument("members", nargs=-1, type=UserName())
def create(
    user: int | str,
    name: str,
    members: tuple[int | str, ...],
    history: bool,
    client_id: str,
) -> Task:
    """
    Create a group with yourself and others, and print its number.

    You are its owner: only you can add and remove others. A new group has at most 1,000
    members; `wsmsg groups add` adds more.
    """

    async def task(client: Client) -> tuple[str, Any]:
        group = await client.create_group(
            name, members, history=history, client_id=client_id
        )
        return str(group), {"group": group, "conversation": group_conversation(group)}

    return task


@groups.command()
@asks
@click.argument("group", type=GroupName())
@click.argument("members", nargs=-1, required=True, type=UserName())
def add(user: int | str, group: int, members: tuple[int | str, ...]) -> Task:
    """
    Add members to a group that you own.

    Users who are members already stay members, so the command can be repeated.
    """

    async def task(client: Client) -> tuple[str, Any]:
        await client.add_members(group, members)
        return f"added {len(set(members))}", {"group": group, "added": members}

    return task


@groups.command()
@asks
@click.argument("group", type=GroupName())
@click.argument("members", nargs=-1, required=True, type=UserName())
def remove(user: int | str, group: int, members: tuple[int | str, ...]) -> Task:
    """
    Remove members from a group that you own.

    They are notified, and then receive no messages of the group.
    """

    async def task(client: Client) -> tuple[str, Any]:
        await client.remove_members(group, members)
        return f"removed {len(set(members))}", {"group": group, "removed": members}

    return task


@groups.command()
@asks
@click.argument("group", type=GroupName())
def leave(user: int | str, group: int) -> Task:
    """
    Leave a group.
    """

    return _membership(user, group, "left", lambda client: client.leave(group))


@groups.command()
@asks
@click.argument("group", type=GroupName())
def members(user: int | str, group: int) -> Task:
    """
    Print a group and its members.

    After the first line, each line has a member and the number of the message with
    which the member joined.
    """

    async def task(client: Client) -> tuple[str, Any]:
        found = await client.members(group)
        names = {m.user: harmless(client.name_of(m.user)) for m in found.members}
        owner = harmless(client.name_of(found.owner))
        lines = [
            f"{harmless(found.name)}: {counted(found.count, 'member')}, owner {owner}",
            *(f"{names[m.user]} since {m.joined}" for m in found.members),
        ]
        document = {
            "group": group,
            "name": found.name,
            "owner": found.owner,
            "history": found.history,
            "members": [
                {"user": m.user, "joined": m.joined, **name_beside(client, m.user)}
                for m in found.members
            ],
        }
        return "\n".join(lines), document

    return task


@groups.command("list")
@asks
def list_groups(user: int | str) -> Task:
    """
    List your groups.

    Each line has a group, the number of its last message, the number of its
    members, and its name.
    """

    async def task(client: Client) -> tuple[str, Any]:
        document = []
        for head in await client.conversations():
            if not is_group(head.conversation):
                continue
            group = group_in(head.conversation)
            try:
                found = await client.members(group, limit=1)
            except WsmsgError:
                continue  # no longer a member
            document.append(
                {
                    "group": group,
                    "head": head.head,
                    "members": found.count,
                    "name": found.name,
                }
            )
        lines = [
            "{group} {head} {members} ".format(**one) + harmless(str(one["name"]))
            for one in document
        ]
        return "\n".join(lines) or "no groups", document

    return task


@groups.command()
@asks
@click.argument("group", type=GroupName())
@click.argument("users", nargs=-1, required=True, type=UserName())
def invite(user: int | str, group: int, users: tuple[int | str, ...]) -> Task:
    """
    Invite users to a group that you own.

    Each of them gets the invitation in your conversation, and decides.
    """

    async def task(client: Client) -> tuple[str, Any]:
        for other in dict.fromkeys(users):
            await client.invite(group, other)
        return f"invited {len(set(users))}", {"group": group, "invited": users}

    return task


@groups.command()
@asks
def invitations(user: int | str) -> Task:
    """
    List your open invitations.

    Each line has a group, the user who invited you, the time at which the invitation
    ends, and the name of the group.
    """

    async def task(client: Client) -> tuple[str, Any]:
        found = await client.invitations()
        document = [
            {**attrs.asdict(one), **name_beside(client, one.by, "by_name")}
            for one in found
        ]
        lines = [
            f"{i.group} {harmless(client.name_of(i.by))} {_utc(i.expires_ms)} "
            f"{harmless(i.name)}"
            for i in found
        ]
        return "\n".join(lines) or "no invitations", document

    return task


@groups.command()
@asks
@click.argument("group", type=GroupName())
def accept(user: int | str, group: int) -> Task:
    """
    Accept an invitation: join the group.
    """

    return _membership(user, group, "joined", lambda c: c.accept_invitation(group))


@groups.command()
@asks
@click.argument("group", type=GroupName())
def decline(user: int | str, group: int) -> Task:
    """
    Decline an invitation. Nobody is told.
    """

    return _membership(user, group, "declined", lambda c: c.decline_invitation(group))


def _membership(
    user: int | str,
    group: int,
    done: str,
    change: Callable[[Client], Awaitable[object]],
) -> Task:
    """
    Change the user's own membership of a group.

    @param done: the change, as it is printed: C{left}.
    """

    async def task(client: Client) -> tuple[str, Any]:
        await change(client)
        return f"{done} {group}", {"group": group, done: user}

    return task


def name_beside(
    client: Client, user: int, field: str = "user_name"
) -> Mapping[str, str]:
    """
    Return the name of a user as a field of a JSON document, if the user has one.
    """
    name = client.name_of(user)
    return {} if name == str(user) else {field: name}


def _utc(time_ms: int) -> str:
    return datetime.fromtimestamp(time_ms // 1000, tz=UTC).isoformat()
