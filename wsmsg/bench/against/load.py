"""
A load process against another system.

C{python -m wsmsg.bench.against.load} reads a plan from standard input, as
L{wsmsg.bench.load.load} does.
"""

from __future__ import annotations

import asyncio
import secrets
import sys
from collections.abc import Awaitable, Callable
from itertools import count
from urllib.parse import urlsplit

from wsmsg.bench.against.interface import Content, LoadUser, User
from wsmsg.bench.against.pair import ForeignPair
from wsmsg.bench.against.systems import SYSTEMS
from wsmsg.bench.load.encoding import RUN_CHARS
from wsmsg.bench.load.load import Load, main
from wsmsg.bench.load.plan import Plan


class ForeignLoad(Load):
    """
    One plan against another system.
    """

    def __init__(self, plan: Plan, tell: Callable[[str], object]):
        super().__init__(plan, tell)
        run = secrets.token_hex(RUN_CHARS // 2)
        self._system = SYSTEMS[plan.system]
        self._url = urlsplit(plan.path)
        self._content = Content(run, plan.size)
        self._users = count()

    async def open_pair(self, number: int) -> None:
        sender = self._user(f"s{number}")
        recipient = self._user(f"r{number}")

        async def enter() -> None:
            await recipient.enter()
            await sender.enter()
            await asyncio.gather(
                recipient.meet(sender.identity, first=False),
                sender.meet(recipient.identity, first=True),
            )

        await self._connections.enter(sender, self._explained(enter()))
        self._connections.peers.append(recipient)
        self.version = sender.version
        pair = ForeignPair(sender, recipient, self._loop, self._window)
        self._loops.append(pair)

    async def open_idle(self, user: int) -> None:
        one = self._user(f"i{user}")
        await self._connections.enter(one, self._explained(one.enter()))
        self.version = one.version

    async def _explained(self, entering: Awaitable[None]) -> None:
        try:
            await entering
        except ConnectionError as e:
            raise ConnectionError(self._system.explained(str(e))) from None

    def _user(self, name: str) -> User:
        login = LoadUser(
            # Users come again after a warm-up, and accounts are made once.
            name=f"bench{self._content.run}{name}x{next(self._users)}",
            key=self._plan.secret,
            content=self._content,
        )
        connections = self._connections
        return self._system.make(login, self._url, connections.mask, connections.lost)


if __name__ == "__main__":
    sys.exit(main(ForeignLoad))
