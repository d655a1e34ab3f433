"""
The end of a run: everything that is stored, as new devices read it, and who has it.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable
from functools import partial

from wsmsg.connect.session.head_check import ROUND, SETTLE
from wsmsg.prove.clients.crowd import Crowd, TokenOf
from wsmsg.prove.clients.program import Program
from wsmsg.prove.clients.raw import RawClient
from wsmsg.prove.clients.recorded import RecordedClient, message_fields

_LOOK_S = 0.1
#: The longest time for a comparison of all sessions in which misses count.
_COMPARED_S = 3.0 * ROUND + SETTLE


async def read_finally(crowd: Crowd, token_of: TokenOf, patience_s: float) -> None:
    """
    Write what is stored into the history, and wait until all devices have it.

    What does not come in time is missing in the history, and the checker finds that.

    @param patience_s: the longest time for each of three steps: the last answers to
        sends, the reading, and the last messages.
    """
    waiting = (_until(partial(_is_idle, client), patience_s) for client in crowd.raw)
    await asyncio.gather(*waiting)
    wanted: defaultdict[int, dict[str, set[str]]] = defaultdict(dict)
    for conversation, (reader, bodies) in crowd.conversations().items():
        wanted[reader][conversation] = bodies
    reading = (
        _read(crowd, token_of(user), user, wanted[user], patience_s) for user in wanted
    )
    heads: dict[str, int] = {}
    for found in await asyncio.gather(*reading):
        heads |= found
    devices = _staying(crowd)
    getting = (_until(partial(_has_all, crowd, d, heads), patience_s) for d in devices)
    await asyncio.gather(*getting)
    for device in devices:
        crowd.history.info("expect", user=device.user, device=device.device)


async def compare(crowd: Crowd) -> None:
    """
    Wait until the server has compared each session once more with what is stored, long
    enough after the last fault that a difference counts.
    """
    from_s = time.monotonic() + ROUND
    async with asyncio.timeout(_COMPARED_S):
        for client in crowd.talkers:
            while client.checked_s < from_s:
                await client.ping()
                await asyncio.sleep(1)  # the server says it only when it is asked


def _staying(crowd: Crowd) -> list[RecordedClient | Program]:
    raw = [client for client in crowd.raw if client is not crowd.guest]
    return [*raw, *crowd.programs]


def _is_idle(client: RecordedClient) -> bool:
    return client.idle


def _is_of(crowd: Crowd, user: int, conversation: str) -> bool:
    if conversation.startswith("g:"):
        return user in crowd.members
    return str(user) in conversation.split(":")[1:]


def _has_all(
    crowd: Crowd, device: RecordedClient | Program, heads: dict[str, int]
) -> bool:
    own = (c for c in heads if _is_of(crowd, device.user, c))
    return all(device.position(c) >= heads[c] for c in own)


async def _read(
    crowd: Crowd, token: str, user: int, wanted: dict[str, set[str]], patience_s: float
) -> dict[str, int]:
    reader = RawClient(crowd.urls, token, user, "final")
    reader.start()

    def is_complete() -> bool:
        taken = ({m.content for m in reader.taken[c]} for c in wanted)
        stored = zip(taken, wanted.values(), strict=True)
        return reader.synced and all(bodies <= found for found, bodies in stored)

    try:
        await _until(is_complete, patience_s)
        for conversation in wanted:
            for message in reader.taken[conversation]:
                crowd.history.write("final", **message_fields(message))
        return {c: len(reader.taken[c]) for c in wanted}
    finally:
        await reader.stop()


async def _until(condition: Callable[[], bool], patience_s: float) -> None:
    loop = asyncio.get_running_loop()
    until_s = loop.time() + patience_s
    while not condition() and loop.time() < until_s:
        await asyncio.sleep(_LOOK_S)  # other processes have no event to wait for
