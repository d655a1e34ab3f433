"""
A client whose token expires while it is connected.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from tests.asyncio_case import AsyncioCase
from tests.client.client_case import URL, ClientCase
from tests.client.doubles import welcome
from wsmsg.client import Connected, Reconnecting
from wsmsg.client.renewal import REFRESH_ID, Renewal
from wsmsg.errors import Close, Unauthenticated
from wsmsg.protocol import frames
from wsmsg.protocol.frames import Refresh, Refreshed, TokenExpiring


class RenewalClientTests(ClientCase):
    """
    A client and a server that reminds it.
    """

    async def test_refreshes(self) -> None:
        """
        A client that is told that its token expires gets another from the program, and
        sends it on the same connection, each time.
        """
        tokens = iter(f"t{n}" for n in range(9))
        client = self.client(token=lambda: next(tokens))
        client.start()
        link = await self.server.connection(welcome())
        for n in (1, 2):
            link.give(TokenExpiring(10**12))
            self.assertEqual(await link.next(Refresh), Refresh(f"t{n}", REFRESH_ID))
            link.give(Refreshed(REFRESH_ID, 10**12))
        self.assertEqual(self.server.dialled, [(URL, "t0")])

    async def test_awaited(self) -> None:
        """
        The function may be a coroutine; reminders that come while it runs ask nothing
        more.
        """
        calls = 0
        go = asyncio.Event()

        async def token() -> str:
            nonlocal calls
            calls += 1
            if calls > 1:
                await go.wait()
            return f"t{calls}"

        client = self.client(token=token)
        client.start()
        link = await self.server.connection(welcome())
        link.give(TokenExpiring(1), TokenExpiring(1), TokenExpiring(1))
        await self.until(lambda: calls == 2)
        go.set()
        self.assertEqual((await link.next(Refresh)).token, "t2")
        self.assertEqual(calls, 2)

    async def test_fixed(self) -> None:
        """
        A client with one token for ever has no other to send.  When the session ends,
        it tries once more, and then stays closed.
        """
        client = self.client(token="t")
        events = client.events()
        client.start()
        link = await self.server.connection(welcome())
        await self.next(events, Connected)
        with self.assertLogs("wsmsg.client", "WARNING") as logs:
            link.give(TokenExpiring(1), frames.Pong())
            link.lose(Close.UNAUTHENTICATED, "the token has expired")
            await self.next(events, Reconnecting)
        self.assertIn("only a function", logs.output[0])
        self.assertEqual([type(f) for f in link.rest() if type(f) is Refresh], [])
        again = await self.server.connection()
        again.lose(Close.UNAUTHENTICATED, "the token has expired")
        with self.assertRaises(Unauthenticated):
            await client.send(2, "hi")

    async def until(self, reached: Callable[[], bool]) -> None:
        """
        Let the tasks of the client run until a condition holds.
        """
        async with asyncio.timeout(30):
            while not reached():
                await asyncio.sleep(0)


class RenewalTests(AsyncioCase):
    """
    L{Renewal}, with a source and a server that fail.
    """

    async def test_again(self) -> None:
        """
        A source that fails is asked again, and so is one whose token the server refused
        for now; a token that the server refused for good is not sent again.
        """
        written: asyncio.Queue[Refresh] = asyncio.Queue()
        tokens: list[str | Exception] = [OSError("no network"), "t1", "t2"]

        def source() -> str:
            token = tokens.pop(0)
            if isinstance(token, Exception):
                raise token
            return token

        renewal = Renewal(source, written.put, again_s=0.0)
        self.addCleanup(renewal.stop)
        with self.assertLogs("wsmsg.client", "WARNING"):
            renewal.expiring()
            self.assertEqual((await written.get()).token, "t1")
            await asyncio.sleep(0)
            renewal.refused(frames.Error("unavailable", "no keys", REFRESH_ID, 1))
            self.assertEqual((await written.get()).token, "t2")
            await asyncio.sleep(0)
            renewal.refused(frames.Error("unauthenticated", "forged", REFRESH_ID))
        await asyncio.sleep(0)
        self.assertTrue(written.empty())
