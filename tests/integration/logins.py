"""
Rounds of logins of one device at the same moment.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from tests.integration.device import Device
from wsmsg.errors import Close
from wsmsg.protocol import client_pb2 as pb

#: Longer than Connects need to tell each other of a login.
_SETTLED_S = 0.1
_FIRST_USER = 700_001


async def rounds_of_logins(
    dial: Callable[[int, int], Awaitable[Device]], *, connects: int, rounds: int
) -> None:
    """
    Let a device log in at several Connects at the same moment, for each of some users,
    and check that all of its sessions but one end, with 4503.

    @param dial: opens a connection of a user to one of the Connects.
    """
    for user in range(_FIRST_USER, _FIRST_USER + rounds):
        devices = await asyncio.gather(*(dial(user, n) for n in range(connects)))
        try:
            await _one_remains(devices)
        finally:
            await asyncio.gather(*(device.close() for device in devices))


async def _one_remains(devices: list[Device]) -> None:
    hello = pb.Hello(device="phone")
    await asyncio.gather(*(device.send_frame(hello=hello) for device in devices))
    ends = {asyncio.ensure_future(device.closed(10)): device for device in devices}
    living = set(ends)
    while len(living) > 1:
        over, living = await asyncio.wait(living, return_when=asyncio.FIRST_COMPLETED)
        for end in over:
            code = await end
            assert code == Close.REPLACED, f"{ends[end].user} was closed with {code}"
    over, _ = await asyncio.wait(living, timeout=_SETTLED_S)
    assert living and not over, "no session remains"
    for end in living:
        end.cancel()
        await ends[end].pong()
