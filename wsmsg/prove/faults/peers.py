"""
Faults of clients: these need no more than what any client may do.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from functools import partial

import attrs

from wsmsg.prove.clients.crowd import USERS, Crowd, TokenOf
from wsmsg.prove.clients.raw import RawClient
from wsmsg.prove.faults.ledger import FaultLedger

#: Messages for a reader that does not keep up.
_FLOOD = 60
_READS_S, _RESTS_S = 0.02, 0.3
_SLOW_S, _DEAD_S = (3.0, 6.0), (6.0, 8.0)
#: Logins of a storm besides everybody's: the users, and the devices of each.
_STORM_USERS, _STORM_DEVICES = range(28, USERS), 8
_PATIENCE_S = 60.0


@attrs.frozen
class Flood:
    """
    The size and the rate of messages that are too many for one reader, within the
    limits of the server.
    """

    content_bytes: int = 8_000
    sends_per_s: float = 30.0


class PeerFaults:
    """
    The faults of the clients of a crowd.

    @ivar faults: the faults by their names.
    """

    def __init__(
        self,
        ledger: FaultLedger,
        crowd: Crowd,
        token_of: TokenOf,
        flood: Flood,
        rng: random.Random,
    ) -> None:
        self._ledger = ledger
        self._crowd = crowd
        self._token_of, self._size = token_of, flood
        self._random = rng
        self._reading = asyncio.Lock()
        self.faults: dict[str, Callable[[], Awaitable[None]]] = {
            "slow-reader": self._slow_reader,
            "dead-reader": self._dead_reader,
            "storm": self._storm,
        }
        #: What takes the place of faults of ways, where these belong to others.
        self.of_connections: dict[str, Callable[[], Awaitable[None]]] = {
            "cut": self._cut,
            "half-open": self._half_open,
        }

    async def _slow_reader(self) -> None:
        reader = self._crowd.reader
        async with self._reading, self._ledger.fault("slow-reader", str(reader.user)):
            flood = asyncio.ensure_future(self._flood())
            until_s = self._now() + self._random.uniform(*_SLOW_S)
            while self._now() < until_s:
                reader.freeze()
                await asyncio.sleep(_RESTS_S)
                reader.thaw()
                await asyncio.sleep(_READS_S)
            await self._read_all(await flood)

    async def _dead_reader(self) -> None:
        reader = self._crowd.reader
        async with self._reading, self._ledger.fault("dead-reader", str(reader.user)):
            reader.freeze()
            flood = asyncio.ensure_future(self._flood())
            await asyncio.sleep(self._random.uniform(*_DEAD_S))
            reader.thaw()
            await self._read_all(await flood)

    async def _flood(self) -> str:
        """
        Send many large messages to the reader, and return the last one.
        """
        pump, reader, last = self._crowd.pump, self._crowd.reader, ""
        dots = "." * self._size.content_bytes
        for n in range(_FLOOD):
            last = f"{pump.user} floods {self._now()} {n} {dots}"
            await pump.send(reader.user, last)
            await asyncio.sleep(1 / self._size.sends_per_s)
        return last

    async def _read_all(self, last: str) -> None:
        reader = self._crowd.reader
        await reader.until(lambda: last in reader.taken_s, _PATIENCE_S)

    async def _storm(self) -> None:
        crowd = self._crowd
        async with self._ledger.fault("storm", "all"):
            for client in crowd.raw:
                if not client.is_absent:
                    client.drop()
            newcomers = [
                RawClient(crowd.urls, self._token_of(user), user, f"storm-{n}")
                for user in crowd.users_of(_STORM_USERS)
                for n in range(_STORM_DEVICES)
            ]
            for newcomer in newcomers:
                newcomer.start()
            try:
                for newcomer in newcomers:
                    await newcomer.until(partial(_was_there, newcomer), _PATIENCE_S)
            finally:
                await asyncio.gather(*(newcomer.stop() for newcomer in newcomers))

    async def _cut(self) -> None:
        async with self._ledger.fault("cut", "connections"):
            for client in self._random.sample(self._crowd.talkers, 4):
                client.drop()

    async def _half_open(self) -> None:
        clients = self._random.sample(self._crowd.talkers, 4)
        async with self._ledger.fault("half-open", "connections"):
            for client in clients:
                client.freeze()
            await asyncio.sleep(self._random.uniform(*_DEAD_S))
            for client in clients:
                client.thaw()

    def _now(self) -> float:
        return asyncio.get_running_loop().time()


def _was_there(client: RawClient) -> bool:
    return client.connects > 0
