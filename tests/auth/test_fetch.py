"""
Fetches of a key set from HTTP servers that behave, and from others.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from twisted.internet import reactor
from twisted.internet.protocol import Factory, Protocol
from twisted.trial.unittest import TestCase

from wsmsg.auth import fetch as fetch_module
from wsmsg.auth.fetch import FetchFailed, read_file, url_fetch
from wsmsg.auth.key_set import MOST_BYTES


class _Answers(Protocol):
    """
    A server that answers every request with the same bytes.
    """

    factory: Any

    def dataReceived(self, data: bytes) -> None:
        for part in self.factory.parts:
            assert self.transport is not None
            self.transport.write(part)
        if self.factory.closes:
            assert self.transport is not None
            self.transport.loseConnection()


class _Server(Factory):
    """
    A server of L{_Answers}.

    @ivar parts: what it answers.
    @ivar closes: whether it closes the connection then.
    """

    protocol = _Answers
    noisy = False

    def __init__(self) -> None:
        self.parts: tuple[bytes, ...] = ()
        self.closes = True


class FetchTests(TestCase):
    """
    L{url_fetch} and L{read_file}.
    """

    def setUp(self) -> None:
        self.factory = _Server()
        net: Any = reactor
        self.port = net.listenTCP(0, self.factory, interface="127.0.0.1")
        self.addCleanup(self.port.stopListening)
        self.url = f"http://127.0.0.1:{self.port.getHost().port}/keys"

    async def fetched(self, *parts: bytes, closes: bool = True) -> bytes:
        self.factory.parts, self.factory.closes = parts, closes
        clock: Any = reactor
        return await url_fetch(self.url, clock)()

    async def refused(self, *parts: bytes, closes: bool = True) -> str:
        """
        Return the reason for which such an answer is refused.
        """
        try:
            await self.fetched(*parts, closes=closes)
        except FetchFailed as e:
            self.assertNotIn("\n", str(e))
            return str(e)
        raise AssertionError("it was taken")

    async def test_answer(self) -> None:
        """
        The body of an answer is returned.
        """
        found = await self.fetched(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}")
        self.assertEqual(found, b"{}")

    async def test_refused(self) -> None:
        """
        Errors, redirects, other protocols and broken answers are refused.
        """
        ok = b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n"
        moved = b"HTTP/1.1 302 Found\r\nlocation: /\r\ncontent-length: 0\r\n\r\n"
        for parts, reason in (
            ((b"HTTP/1.1 500 Oh\r\ncontent-length: 0\r\n\r\n",), "answered 500"),
            ((moved,), "answered 302"),
            ((b"SSH-2.0\r\n\r\n",), "ParseError"),
            ((b"",), ""),
            ((ok, b"{"), "broke off"),
        ):
            self.assertIn(reason, await self.refused(*parts))

    async def test_huge(self) -> None:
        """
        An answer is read up to the most bytes, and its connection is closed.
        """
        part = b" " * 65536
        head = b"HTTP/1.1 200 OK\r\n\r\n"
        reason = await self.refused(head, *[part] * 100, closes=False)
        self.assertIn(f"more than {MOST_BYTES} bytes", reason)

    async def test_slow(self) -> None:
        """
        A server that does not end its answer has a limited time.
        """
        self.patch(fetch_module, "FETCH_S", 0.2)
        head = b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{"
        for parts in ((), (b"HTTP/1.1 200 OK\r\n",), (head,)):
            reason = await self.refused(*parts, closes=False)
            self.assertIn("did not answer within 0.2 s", reason)

    async def test_nobody(self) -> None:
        """
        A server that is not there is a reason in one line.
        """
        await self.port.stopListening()
        self.assertIn("refused", (await self.refused()).lower())

    def test_file(self) -> None:
        """
        A file is read; a folder, a pipe and a file that is not there are refused.
        """
        folder = Path(self.mktemp())
        folder.mkdir()
        (folder / "keys").write_bytes(b"{}")
        os.mkfifo(folder / "pipe")
        self.assertEqual(read_file(str(folder / "keys")), b"{}")
        for name in ("", "pipe", "none"):
            self.assertRaises(FetchFailed, read_file, str(folder / name))
