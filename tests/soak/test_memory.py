"""
The memory of both daemons under load that goes on: it stays flat.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from typing import ClassVar

from tests.integration.cases import IntegrationTestCase, with_daemons
from tests.soak.guests import Guests
from wsmsg.message.limits.pending import LASTING_S

#: How long the load lasts once the daemons are warm, in minutes.
MINUTES = float(os.environ.get("WSMSG_SOAK") or 1)
#: Conversations with a message each: they fill what is filled once, the caches in the
#: table of bounds, the page caches of SQLite, the pools of the allocator.  The largest
#: cache (the places of messages) drops its older half at each 50,000 messages, so that
#: it has been as large as it gets after 150,000.
_FILL = 155_000
# The groups that Message has allowed are kept for a minute, until the store has them:
# as many come as go only after that.
_WARM_S = LASTING_S + 5
_FILLING = 4
_PAIRS = 10
_MESSAGES = 4
_CONTENT = "x" * 6_000
_LAPS = 6
# The allocator and the garbage collector move within this.
_SLACK_BYTES = 5 * 2**20
# Message without Redis remembers when each user was last online, up to a million.
_USER_BYTES = {"message": 160, "connect": 0}


class MemoryTests(IntegrationTestCase):
    """
    Users, devices, groups, Connects and callers that come and go, none of them twice.
    """

    timeout = 900 + int(MINUTES * 60 * 1.2)
    message: ClassVar = {"heads_cached": 500, "members_cached": 1000}
    connect: ClassVar = {
        "limits.sends_per_s": 100_000,
        "limits.frames_per_s": 100_000,
        "limits.handshakes_per_s": 10_000,
    }

    @with_daemons
    async def test_flat(self) -> None:
        """
        Once their caches are full, the daemons do not grow with the messages,
        conversations, groups, sessions, Connects and callers that they have served.
        """
        self.guests = guests = Guests(self.installation, self.user)
        await asyncio.gather(*(guests.fill(_FILL // _FILLING) for _ in range(_FILLING)))
        await self.load(_WARM_S)
        users, sent, before = guests.users, guests.sent, self.sizes()
        self.tell("warm", before)
        for lap in range(_LAPS):
            await self.load(MINUTES * 60 / _LAPS)
            self.tell(f"lap {lap + 1}", self.sizes())
        users, sent = guests.users - users, guests.sent - sent
        # A leak of a content or of a session would be several times the bound.
        for name, size in self.sizes().items():
            bound = _SLACK_BYTES + _USER_BYTES[name] * users
            self.assertGreater(sent * len(_CONTENT), 3 * bound)
            grown = size - before[name]
            told = f"{name} grew by {grown} bytes with {sent} messages of {users} users"
            self.assertLess(grown, bound, told)

    async def load(self, seconds: float) -> None:
        """
        Let guests come and go for so long.
        """
        end_s = time.monotonic() + seconds
        while time.monotonic() < end_s:
            guests = self.guests
            pairs = (guests.pair(_CONTENT, _MESSAGES) for _ in range(_PAIRS))
            await asyncio.gather(*pairs, guests.connect(), guests.caller())

    def sizes(self) -> dict[str, int]:
        """
        Return the resident memory of both daemons.
        """
        daemons = (self.installation.message, self.installation.connect)
        return {daemon.name: daemon.rss_bytes() for daemon in daemons}

    def tell(self, when: str, sizes: dict[str, int]) -> None:
        """
        Print a line, for whoever watches a long soak.
        """
        told = ", ".join(
            f"{name} {size / 2**20:.1f} MB" for name, size in sizes.items()
        )
        line = (
            f"{when}: {told}; {self.guests.sent} messages of {self.guests.users} users"
        )
        print(line, file=sys.__stderr__, flush=True)
