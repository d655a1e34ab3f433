"""
C{wsmsg blocks}.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import attrs
import click

from wsmsg.cli.groups import Task, asks, name_beside
from wsmsg.cli.user_options import GroupName, UserName
from wsmsg.client import Client
from wsmsg.text.escape import harmless


@click.group()
def blocks() -> None:
    """
    Block users, or groups, and list the blocks.

    \b
    Examples:
      wsmsg blocks add --user 1001 1002
      wsmsg blocks add --user 1001 --group GROUP
      wsmsg blocks list --user 1001
      wsmsg blocks remove --user 1001 1002

    A user whom you block does not notice it: their messages to you are accepted, and
    do not reach you, also not later. A group that you block cannot be joined in your
    name: nobody adds you to it, or invites you. You stay a member until you leave.
    """


@blocks.command()
@asks
@click.argument("other", required=False, type=UserName())
@click.option("--group", type=GroupName(), help="Block a group, instead of a user.")
def add(user: int | str, other: int | str | None, group: int | None) -> Task:
    """
    Block a user, or a group.
    """
    return _change(other, group, on=True)


@blocks.command()
@asks
@click.argument("other", required=False, type=UserName())
@click.option("--group", type=GroupName(), help="A group, instead of a user.")
def remove(user: int | str, other: int | str | None, group: int | None) -> Task:
    """
    End the block of a user, or of a group.
    """
    return _change(other, group, on=False)


@blocks.command("list")
@asks
def list_blocks(user: int | str) -> Task:
    """
    List your blocks.

    Each line has "user" or "group", the number or the user's name, and the time of the
    block.
    """

    async def task(client: Client) -> tuple[str, Any]:
        found = await client.blocks()
        lines = [
            f"user {harmless(client.name_of(b.user))} {_utc(b.time_ms)}"
            if b.user
            else f"group {b.group} {_utc(b.time_ms)}"
            for b in found
        ]
        document = [{**attrs.asdict(b), **name_beside(client, b.user)} for b in found]
        return "\n".join(lines) or "no blocks", document

    return task


def _change(other: int | str | None, group: int | None, *, on: bool) -> Task:
    if (other is None) is (group is None):
        raise click.UsageError("give either USER or --group GROUP")

    async def task(client: Client) -> tuple[str, Any]:
        if other is not None:
            await (client.block(other) if on else client.unblock(other))
        elif group is not None:
            await (client.block_group(group) if on else client.unblock_group(group))
        named = f"user {other}" if other is not None else f"group {group}"
        done = "blocked" if on else "unblocked"
        return f"{done} {named}", {"user": other, "group": group, "on": on}

    return task


def _utc(time_ms: int) -> str:
    return datetime.fromtimestamp(time_ms // 1000, tz=UTC).isoformat()
