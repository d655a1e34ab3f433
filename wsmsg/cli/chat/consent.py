"""
The commands of the chat about whom the user wants to hear of.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from wsmsg.cli.chat.target import ChatTarget
from wsmsg.client import Client
from wsmsg.errors import WsmsgError
from wsmsg.names import group_of_key, name_problem, number_in
from wsmsg.text.escape import harmless


class BadCommand(Exception):
    """
    The command makes no sense here; the text says why.
    """


async def _block(client: Client, talk: ChatTarget, rest: str) -> str:
    if talk.group:
        await client.block_group(talk.group)
        return f"nobody adds you to group {talk.group}, or invites you, any more"
    assert isinstance(talk.target, int), talk
    await client.block(talk.target)
    name = harmless(client.name_of(talk.target))
    return f"you hear nothing more of user {name}, who does not notice it"


async def _unblock(client: Client, talk: ChatTarget, rest: str) -> str:
    if talk.group:
        await client.unblock_group(talk.group)
        return f"group {talk.group} is not blocked any more"
    assert isinstance(talk.target, int), talk
    await client.unblock(talk.target)
    return f"user {harmless(client.name_of(talk.target))} is not blocked any more"


async def _invite(client: Client, talk: ChatTarget, rest: str) -> str:
    if not talk.group:
        raise BadCommand("/invite is for groups")
    user = number_in(rest) if rest else 0
    if not user and (problem := name_problem(rest)):
        raise BadCommand(f"/invite takes the number or the name of a user: {problem}")
    await client.invite(talk.group, user or rest)
    return f"invited {harmless(rest)}"


async def _invitations(client: Client, talk: ChatTarget, rest: str) -> str:
    found = await client.invitations()
    named = (
        f"group {i.group} ({harmless(i.name)}, by {harmless(client.name_of(i.by))})"
        for i in found
    )
    return ", ".join(named) or "no invitations"


async def _accept(client: Client, talk: ChatTarget, rest: str) -> str:
    group = talk.group or _group(rest, "/accept")
    await client.accept_invitation(group)
    return f"joined group {group}"


async def _decline(client: Client, talk: ChatTarget, rest: str) -> str:
    group = talk.group or _group(rest, "/decline")
    await client.decline_invitation(group)
    return f"declined to join group {group}"


#: The commands by name; each returns a line to show.
COMMANDS: Mapping[str, Callable[[Client, ChatTarget, str], Awaitable[str]]] = {
    "/block": _block,
    "/unblock": _unblock,
    "/invite": _invite,
    "/invitations": _invitations,
    "/accept": _accept,
    "/decline": _decline,
}


async def run_command(client: Client, talk: ChatTarget, name: str, rest: str) -> str:
    """
    Run a command.

    @return: a line to show, also if the command failed.
    """
    try:
        return await COMMANDS[name](client, talk, rest)
    except BadCommand as error:
        return str(error)
    except WsmsgError as error:
        return f"{name} failed: {error.code}: {error.reason}"


def _group(text: str, command: str) -> int:
    number = number_in(text) if text else 0
    if not number and (problem := name_problem(text)):
        raise BadCommand(f"{command} takes the number or the id of a group: {problem}")
    return number or group_of_key(text)
