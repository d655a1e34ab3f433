"""
Removes what a proof left in a deployment that is somebody else's: the contents of its
messages, and the members of its group.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import suppress

from wsmsg.client import Client
from wsmsg.errors import WsmsgError
from wsmsg.prove.checker import Line

_DEVICE = "prove-clean"
_PATIENCE_S = 300.0


async def clean(
    url: str, token_of: Callable[[int], str], stored: Sequence[Line]
) -> dict[str, int]:
    """
    Recall all messages, and empty the group.

    @param stored: the messages, as the history has them.
    @return: how many were recalled, and how many the server did not let us recall.
    """
    own: defaultdict[int, list[Line]] = defaultdict(list)
    for message in stored:
        own[message["from"]].append(message)
    try:
        async with asyncio.timeout(_PATIENCE_S):
            counts = await asyncio.gather(
                *(_clean_user(url, token_of(user), own[user]) for user in own)
            )
            for change in (m for m in stored if m.get("add")):
                await _empty(url, token_of(change["from"]), change)
    except TimeoutError:
        return {"recalled": 0, "left": len(stored)}
    recalled = sum(counts)
    messages = sum(not message.get("event") for message in stored)
    return {"recalled": recalled, "left": messages - recalled}


async def _clean_user(url: str, token: str, messages: Sequence[Line]) -> int:
    done = 0
    async with Client(url, token, device=_DEVICE, start="latest") as client:
        for message in messages:
            if not message.get("event"):
                with suppress(WsmsgError):  # the time limit of recalls is over
                    await client.recall(message["conversation"], message["seq"])
                    done += 1
    return done


async def _empty(url: str, token: str, change: Line) -> None:
    """
    Remove the members whom a change of a group added.
    """
    group = int(change["conversation"].removeprefix("g:"))
    others = [user for user in change["add"] if user != change["from"]]
    async with Client(url, token, device=_DEVICE, start="latest") as client:
        with suppress(WsmsgError):  # a member is gone already
            await client.remove_members(group, others)
