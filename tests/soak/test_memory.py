"""
The memory of both daemons under load that goes on: it stays flat.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import time
from typing import ClassVar

from tests.integration.cases import IntegrationTestCase, with_daemons
from tests.integration.device import Device
from wsmsg.rpc import client_pb2 as pb

#: How long the load lasts once the daemons are warm, in seconds.
SOAK_S = float(os.environ.get("WSMSG_SOAK_S") or 15)
# Rounds that fill what is filled once: the page caches of SQLite, 16 MB each, code, the
# pools of the allocator.
_WARM_ROUNDS = 35
_LEAST_ROUNDS = 40
_PAIRS = 10
_MESSAGES = 4
_CONTENT = "x" * 12_000
# The allocator and the garbage collector move within this.
_SLACK_BYTES = 6 * 2**20
# The caches in the table of bounds grow by so much for each message, for as many
# messages as they have.
_CACHED_BYTES = 1024
_CACHED = 100_000


class MemoryTests(IntegrationTestCase):
    """
    Users who come, write, read and leave, none of them twice.
    """

    timeout = 600 + int(SOAK_S)
    message: ClassVar = {"heads_cached": 500, "members_cached": 1000}

    @with_daemons
    async def test_flat(self) -> None:
        """
        After a while, the daemons do not grow with the messages, conversations, groups
        and sessions that they have served: a leak of contents or of sessions would be
        several times the bound.
        """
        numbers = itertools.count(1)
        for _ in range(_WARM_ROUNDS):
            await self.round(next(numbers))
        before = self.sizes()
        rounds = 0
        end_s = time.monotonic() + SOAK_S
        while rounds < _LEAST_ROUNDS or time.monotonic() < end_s:
            await self.round(next(numbers))
            rounds += 1
        sent = rounds * _PAIRS * (_MESSAGES + 2)
        bound = _SLACK_BYTES + _CACHED_BYTES * min(sent, _CACHED)
        self.assertGreater(sent * len(_CONTENT), 1.5 * bound)
        for name, size in self.sizes().items():
            grown = size - before[name]
            self.assertLess(
                grown, bound, f"{name} grew by {grown} bytes with {sent} messages"
            )

    def sizes(self) -> dict[str, int]:
        """
        Return the resident memory of both daemons.
        """
        daemons = (self.installation.message, self.installation.connect)
        return {daemon.name: daemon.rss_bytes() for daemon in daemons}

    async def round(self, number: int) -> None:
        """
        Let pairs of new users log in, talk, and leave.
        """
        await asyncio.gather(*(self.pair(number) for _ in range(_PAIRS)))

    async def pair(self, number: int) -> None:
        """
        Let two new users exchange messages, also in a group, and leave.
        """
        one, two = await asyncio.gather(self.come(number), self.come(number))
        try:
            for n in range(_MESSAGES):
                await one.send_until_accepted(two.user, f"m{n}", _CONTENT)
            await one.send_frame(
                create_group=pb.CreateGroup(
                    client_id="g", name="soak", members=[two.user]
                )
            )
            made = await one.answer("g")
            await two.send_frame(watch=pb.Watch(users=[one.user]))
            talk = f"u:{one.user}:{two.user}"
            await two.expect("deliver", conversation=talk, seq=_MESSAGES)
            await two.send_frame(read=pb.Read(conversation=talk, seq=_MESSAGES))
            await two.expect("deliver", conversation=made.conversation, seq=1)
            await two.send_frame(
                send=pb.Send(
                    client_id="t",
                    group=int(made.conversation.removeprefix("g:")),
                    content=_CONTENT,
                )
            )
            await two.answer("t")
            await two.send_frame(sync=pb.Sync(id="s", conversation=talk))
            await two.expect("page", id="s")
        finally:
            await asyncio.gather(one.close(), two.close())

    async def come(self, number: int) -> Device:
        """
        Return a device of a user who was never there.
        """
        user = self.user()
        installation = self.installation
        device = await Device.dial(installation.url, installation.token(user), user)
        await device.greet(f"phone-{number}")
        return device
