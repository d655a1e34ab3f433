"""
The needs of both daemons under load that goes on: memory, open files, threads, room on
the disk for each message, and time for each answer stay flat.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import ClassVar

import attrs

from tests.integration.cases import IntegrationTestCase, with_daemons
from tests.integration.installation import DaemonProcess
from tests.soak.guests import Guests
from tests.soak.trends import rise
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
_LAPS = 8
# The allocator and the garbage collector move within this.
_SLACK_BYTES = 5 * 2**20
# Message without Redis remembers when each user was last online, up to a million.
_USER_BYTES = {"message": 160, "connect": 0}
#: What may come and go with the guests of a moment.
_SLACK_FILES, _SLACK_THREADS = 32, 8
# A store keeps each content once, and rows and indexes beside it.  Its log is written
# over once it is as long as this.
_DISK_SHARE, _SLACK_DISK_BYTES = 2.0, 64 * 2**20
#: A soak so long says something about times, on a machine that does other things too.
_TIMED_MINUTES = 10.0


@attrs.frozen
class Sample:
    """
    The needs of the daemons at a time, by their names, and of each lap of the load.
    """

    rss: dict[str, int]
    files: dict[str, int]
    threads: dict[str, int]
    disk: int
    lap_s: float


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
        lap_s = await self.load(_WARM_S)
        users, sent = guests.users, guests.sent
        samples = [self.sample(lap_s)]
        self.tell("warm", samples[-1])
        for lap in range(_LAPS):
            lap_s = await self.load(MINUTES * 60 / _LAPS)
            samples.append(self.sample(lap_s))
            self.tell(f"lap {lap + 1}", samples[-1])
        users, sent = guests.users - users, guests.sent - sent
        for daemon in self.daemons():
            self.check_daemon(daemon.name, samples, users, sent)
        content = sent * len(_CONTENT)
        grown = samples[-1].disk - samples[0].disk
        self.assertLess(grown, content * _DISK_SHARE + _SLACK_DISK_BYTES)
        if MINUTES >= _TIMED_MINUTES:
            times = [sample.lap_s for sample in samples]
            self.assertLess(rise(times), median(times), f"laps took {times}")

    def check_daemon(
        self, name: str, samples: list[Sample], users: int, sent: int
    ) -> None:
        """
        Check that what a daemon needs does not rise, from sample to sample.
        """
        # A leak of a content or of a session would be several times the bound.
        bound = _SLACK_BYTES + _USER_BYTES[name] * users
        self.assertGreater(sent * len(_CONTENT), 3 * bound)
        rows: dict[str, tuple[Callable[[Sample], dict[str, int]], int]] = {
            "bytes": (lambda sample: sample.rss, bound),
            "open files": (lambda sample: sample.files, _SLACK_FILES),
            "threads": (lambda sample: sample.threads, _SLACK_THREADS),
        }
        for what, (of, most) in rows.items():
            values = [of(sample)[name] for sample in samples]
            told = f"{name} has {values} {what}, with {sent} messages of {users} users"
            self.assertLess(rise(values), most, told)
            self.assertLess(values[-1] - values[0], most, told)

    async def load(self, seconds: float) -> float:
        """
        Let guests come and go for so long.

        @return: the median of the times in seconds that they took.
        """
        end_s, times = time.monotonic() + seconds, []
        while time.monotonic() < end_s:
            guests, began_s = self.guests, time.monotonic()
            pairs = (guests.pair(_CONTENT, _MESSAGES) for _ in range(_PAIRS))
            await asyncio.gather(*pairs, guests.connect(), guests.caller())
            times.append(time.monotonic() - began_s)
        return median(times)

    def daemons(self) -> tuple[DaemonProcess, ...]:
        return self.installation.message, self.installation.connect

    def sample(self, lap_s: float) -> Sample:
        """
        Return what the daemons need now.
        """
        folder = self.installation.folder / "data"
        disk = sum(f.stat().st_size for f in folder.rglob("*") if f.is_file())
        daemons = self.daemons()
        tasks = {
            d.name: len(list(Path(f"/proc/{d.pid}/task").iterdir())) for d in daemons
        }
        files = {daemon.name: daemon.open_files() for daemon in daemons}
        rss = {daemon.name: daemon.rss_bytes() for daemon in daemons}
        return Sample(rss=rss, files=files, threads=tasks, disk=disk, lap_s=lap_s)

    def tell(self, when: str, sample: Sample) -> None:
        """
        Print a line, for whoever watches a long soak.
        """
        told = ", ".join(
            f"{name} {size / 2**20:.1f} MB, {sample.files[name]} files,"
            f" {sample.threads[name]} threads"
            for name, size in sample.rss.items()
        )
        line = (
            f"{when}: {told}; disk {sample.disk / 2**20:.0f} MB;"
            f" a lap takes {sample.lap_s:.2f} s;"
            f" {self.guests.sent} messages of {self.guests.users} users"
        )
        print(line, file=sys.__stderr__, flush=True)
