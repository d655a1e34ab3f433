"""
The commands of the chat: lines that begin with a slash.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable

import attrs

from wsmsg.cli.chat.target import ChatTarget
from wsmsg.cli.chat.view import LINES, ChatView
from wsmsg.client import Client
from wsmsg.errors import WsmsgError
from wsmsg.names import group_of_key, name_problem, number_in
from wsmsg.text.escape import harmless

_MEMBERS = 50
_OLDER = 100


class BadCommand(Exception):
    """
    The command makes no sense here; the text says why.
    """


@attrs.frozen
class ChatContext:
    """
    The chat that a command acts on.

    @ivar leave: ends the chat.
    """

    client: Client
    talk: ChatTarget
    view: ChatView
    leave: Callable[[], None]


@attrs.frozen
class Command:
    """
    A command.

    @ivar usage: the command with its arguments.
    @ivar help: what it does, for C{/help}.
    @ivar run: is given the rest of the line; returns the lines to show.
    @ivar groups: L{True}: for groups only; L{False}: not for groups; L{None}: for both.
    """

    usage: str
    help: str
    run: Callable[[ChatContext, str], Awaitable[str]]
    groups: bool | None = None

    @property
    def name(self) -> str:
        return self.usage.partition(" ")[0]

    def fits(self, talk: ChatTarget) -> bool:
        """
        Return whether the command makes sense in this chat.
        """
        return self.groups is None or self.groups is bool(talk.group)


async def run_command(context: ChatContext, line: str) -> str:
    """
    Run the command in a line.

    @return: the lines to show, also if there is no such command or it failed; empty:
        there is nothing to show.
    """
    name, _, rest = line.partition(" ")
    command = COMMANDS.get(name)
    if command is None:
        return (
            f"there is no command {harmless(name)}; /help lists all.  "
            "Begin the line with // to send one that begins with /"
        )
    if not command.fits(context.talk):
        return f"{name} is {'for groups' if command.groups else 'not for groups'}"
    try:
        return await command.run(context, rest.strip())
    except BadCommand as error:
        return str(error)
    except WsmsgError as error:
        return f"{name} failed: {error.code}: {error.reason}"


def commands_for(talk: ChatTarget) -> Iterable[Command]:
    """
    Return the commands that make sense in this chat.
    """
    return [command for command in COMMANDS.values() if command.fits(talk)]


async def _help(context: ChatContext, rest: str) -> str:
    known = commands_for(context.talk)
    width = max(len(command.usage) for command in known) + 2
    lines = [f"{command.usage:<{width}}{command.help}" for command in known]
    keys = (
        "Enter sends; Alt-Enter begins a new line, and pasted lines stay lines.",
        "PageUp and PageDown scroll, Tab completes a command.",
        "Marks: \u2026 being sent, \u2713 accepted (it will not be lost), "
        "\u2713\u2713 delivered, \u2713\u2713 read.",
    )
    return "\n".join((*lines, *keys))


async def _quit(context: ChatContext, rest: str) -> str:
    context.leave()
    return ""


async def _history(context: ChatContext, rest: str) -> str:
    most = number_in(rest) if rest else _OLDER
    if not most:
        raise BadCommand("/history takes the number of messages to read")
    view = context.view
    most = min(most, LINES - len(view.entries))
    if not view.numbers:
        raise BadCommand("this server keeps no history")
    if most <= 0:
        raise BadCommand(f"the chat shows at most {LINES} lines")
    reading = context.client.history(
        view.conversation, before=view.first or None, newest_first=True, limit=most
    )
    found = [message async for message in reading][::-1]
    if not found:
        return "there are no older messages"
    view.older(found)
    return ""


async def _members(context: ChatContext, rest: str) -> str:
    client, group = context.client, context.talk.group
    found = await client.members(group, limit=_MEMBERS)
    context.view.groups[group] = found.name
    users = ", ".join(harmless(client.name_of(m.user)) for m in found.members)
    more = found.count - len(found.members)
    rest = f" and {more} more" if more > 0 else ""
    owner = harmless(client.name_of(found.owner))
    return f"{harmless(found.name)}: {users}{rest}; owner {owner}"


async def _recall(context: ChatContext, rest: str) -> str:
    seq = number_in(rest.removeprefix("#")) if rest else context.view.last_own()
    if not seq:
        raise BadCommand("/recall takes the number of one of your messages")
    await context.client.recall(context.view.conversation, seq)
    return ""


async def _block(context: ChatContext, rest: str) -> str:
    client, talk = context.client, context.talk
    if talk.group:
        await client.block_group(talk.group)
        return f"nobody adds you to group {talk.group}, or invites you, any more"
    await client.block(talk.other)
    name = harmless(client.name_of(talk.other))
    return f"you hear nothing more of user {name}, who does not notice it"


async def _unblock(context: ChatContext, rest: str) -> str:
    client, talk = context.client, context.talk
    if talk.group:
        await client.unblock_group(talk.group)
        return f"group {talk.group} is not blocked any more"
    await client.unblock(talk.other)
    return f"user {harmless(client.name_of(talk.other))} is not blocked any more"


async def _invite(context: ChatContext, rest: str) -> str:
    user = number_in(rest) if rest else 0
    if not user and (problem := name_problem(rest)):
        raise BadCommand(f"/invite takes the number or the name of a user: {problem}")
    await context.client.invite(context.talk.group, user or rest)
    return f"invited {harmless(rest)}"


async def _invitations(context: ChatContext, rest: str) -> str:
    client = context.client
    named = (
        f"group {i.group} ({harmless(i.name)}, by {harmless(client.name_of(i.by))})"
        for i in await client.invitations()
    )
    return ", ".join(named) or "no invitations"


async def _accept(context: ChatContext, rest: str) -> str:
    group = context.talk.group or _group(rest, "/accept")
    await context.client.accept_invitation(group)
    return f"joined group {group}"


async def _decline(context: ChatContext, rest: str) -> str:
    group = context.talk.group or _group(rest, "/decline")
    await context.client.decline_invitation(group)
    return f"declined to join group {group}"


def _group(text: str, command: str) -> int:
    number = number_in(text) if text else 0
    if not number and (problem := name_problem(text)):
        raise BadCommand(f"{command} takes the number or the id of a group: {problem}")
    return number or group_of_key(text)


#: All commands, by name.
COMMANDS = {
    command.name: command
    for command in (
        Command("/help", "show this list", _help),
        Command("/history [N]", f"show N older messages ({_OLDER})", _history),
        Command("/members", "list the members of the group", _members, True),
        Command("/recall [N]", "recall your message #N, or the last one", _recall),
        Command(
            "/block", "hear nothing more of the user, or be in no such group", _block
        ),
        Command("/unblock", "end that", _unblock),
        Command("/invite USER", "ask a user to join the group", _invite, True),
        Command("/invitations", "list your invitations to groups", _invitations),
        Command("/accept [GROUP]", "accept an invitation to a group", _accept),
        Command("/decline [GROUP]", "decline an invitation to a group", _decline),
        Command("/quit", "leave the chat", _quit),
    )
}
