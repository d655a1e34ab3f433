"""
The chat page in Chromium, with real daemons.
"""

from __future__ import annotations

import asyncio
from typing import Any, ClassVar

from tests.browser.play import SHOTS, play, tokens
from tests.integration.cases import IntegrationTestCase, eventually, with_daemons
from wsmsg.client import Client

_HOSTILE = (
    "<img src=x onerror=alert(1)><script>alert(2)</script>",
    "javascript:alert(1) data:text/html,<b>",
    "see https://example.org/(x)?a=1&b=2, or not",
    "evil \u202etxt.exe\u202c end",
    "\u200b\u2060\u200d",
    "x\u0301\u0302\u0303" * 100,
    "שלום עולם, כאן anna כותבת",
    "long " * 3000,
)


_HISTORY = 10_000


def _text(n: int) -> str:
    """
    Return a text of one or two lines.
    """
    return " ".join(["word"] * (1 + n * n % 25)) + f" {n}"


class PageTests(IntegrationTestCase):
    """
    The page that Connect serves at C{/chat}.
    """

    timeout = 600
    connect: ClassVar[dict[str, Any]] = {
        "pages": "on",
        "limits.sends_per_s": 5000,
        "limits.sends_burst": 20000,
        "limits.requests_per_s": 20000,
    }

    @with_daemons
    async def test_talk(self) -> None:
        """
        People chat through the page: they see marks, typing, presence and groups; five
        tabs are one device; killed daemons, a lost network and reloads lose and double
        nothing; hostile texts stay texts; the page is usable without eyes and mouse,
        loads nothing from elsewhere, and violates no policy.
        """
        anna, ben, carl = (self.user() for _ in range(3))
        async with self._client(carl) as client:
            for text in _HOSTILE:
                await client.send(anna, text)
            await client.send(anna, "?", kind=42)
        await self._play("talk", anna, ben, carl)

    @with_daemons
    async def test_history(self) -> None:
        """
        Ten thousand messages are scrolled to the first one, and down: in order, without
        a hole, with few rows in the document, and no row jumps.
        """
        anna, ben = self.user(), 2**53 + 2 * self.user() + 1
        both = f"u:{anna}:{ben}"
        async with self._client(anna) as one, self._client(ben) as other:
            for begin in range(0, _HISTORY, 500):
                sends = [
                    client.send(user, _text(n))
                    for n in range(begin, begin + 250)
                    for client, user in ((one, ben), (other, anna))
                ]
                await asyncio.gather(*sends)
            await eventually("stored", lambda: one.head(both) == _HISTORY)
        await self._play("history", anna, ben, last=str(_HISTORY))

    def _client(self, user: int) -> Client:
        return Client(self.installation.url, self.installation.token(user), "filler")

    async def _play(self, program: str, *users: int, last: str = "") -> None:
        url = f"http://127.0.0.1:{self.installation.connect.port('listen')}"
        await play(
            self,
            f"chat/test/{program}",
            *(url, str(SHOTS), *tokens(self, *users)),
            *([last] if last else []),
        )
