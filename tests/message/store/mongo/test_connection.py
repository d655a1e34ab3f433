"""
The connection to a MongoDB that does not behave as one, on a socket of this machine.
"""

from __future__ import annotations

from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.protocol import Protocol, ServerFactory
from twisted.logger import LogLevel, capturedLogs
from twisted.logger import formatEvent as text_of
from twisted.trial.unittest import TestCase

from wsmsg.dependency.cause import Cause
from wsmsg.dependency.state import Dependency
from wsmsg.message.store.mongo.connection import MongoConnection, Run
from wsmsg.settings.urls.mongo import read_mongo_url


class HangsUp(Protocol):
    """
    A server that closes each connection when it has the greeting.
    """

    def dataReceived(self, data: bytes) -> None:
        assert self.transport is not None
        self.transport.loseConnection()


class Babbles(Protocol):
    """
    A server that answers in no protocol of MongoDB.
    """

    def dataReceived(self, data: bytes) -> None:
        assert self.transport is not None
        self.transport.write(b"\x10\0\0\0" + b"?" * 12)


async def prepare(run: Run) -> None:
    """
    Prepare nothing.
    """


class LossTests(TestCase):
    """
    Failures that an operator expects have one plain line.
    """

    timeout = 30

    def listen(self, protocol: type[Protocol]) -> int:
        factory: Any = ServerFactory.forProtocol(protocol)
        port: Any = reactor.listenTCP(0, factory, interface="127.0.0.1")
        self.addCleanup(port.stopListening)
        return int(port.getHost().port)

    async def told(self, port: int, *, failures: int) -> list[str]:
        """
        Try until this many attempts failed, and return the lines of the log.
        """
        dependency = Dependency("store", reactor)
        connection = MongoConnection(
            read_mongo_url(f"mongodb://127.0.0.1:{port}/wsmsg?timeoutMS=500"),
            reactor,
            retry=lambda n: 0.01,
            backoff=lambda n: 0.01,
            dependency=dependency,
            prepare=prepare,
        )
        enough: Deferred[None] = Deferred()
        failed = dependency.failed

        def noted(reason: str, delay_s: float | None, cause: Cause) -> None:
            failed(reason, delay_s, cause)
            if dependency.snapshot().attempts == failures:
                enough.callback(None)

        dependency.failed = noted  # type: ignore[method-assign, assignment]
        with capturedLogs() as events:
            connection.start()
            await enough
            await connection.stop()
        return [
            text_of(e)
            for e in events
            if e["log_level"] > LogLevel.debug or e.get("isError")
        ]

    async def test_hangs_up(self) -> None:
        """
        A server that hangs up has one line, whatever the number of attempts.
        """
        [line] = await self.told(self.listen(HangsUp), failures=3)
        self.assertRegex(line, "^store: attempt 1 failed after .*: MongoDB 127.0.0.1")

    async def test_babbles(self) -> None:
        """
        A server that speaks another protocol has one line, without a traceback.
        """
        [line] = await self.told(self.listen(Babbles), failures=3)
        self.assertRegex(line, "^store: attempt 1 failed after .*: MongoDB 127.0.0.1")
