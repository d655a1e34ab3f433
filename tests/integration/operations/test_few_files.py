"""
Tests of daemons that may open few files, at whose ports more clients knock.
"""

from __future__ import annotations

import asyncio
import resource

from tests.integration.cases import IntegrationTestCase, metric, with_daemons

_FILES = 256
_CROWD = 300


class Crowd:
    """
    Clients that connect to a port, stay until they are cut off, and come again.
    """

    def __init__(self, port: int) -> None:
        self._port = port
        self._tasks = [asyncio.ensure_future(self._knock()) for _ in range(_CROWD)]

    async def _knock(self) -> None:
        while True:
            try:
                reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
                await reader.read()
                writer.close()
            except OSError:
                pass
            await asyncio.sleep(0.05)  # the pace of a client that comes again

    async def stop(self) -> None:
        """
        End them.
        """
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


class FewFilesTests(IntegrationTestCase):
    """
    A Connect with C{_FILES} files.
    """

    alone = True

    def installed(self) -> None:
        """
        Limit the files of the Connect.
        """
        self.installation.connect.before_exec = lambda: resource.setrlimit(
            resource.RLIMIT_NOFILE, (_FILES // 2, _FILES)
        )

    @with_daemons
    async def test_reconnects(self) -> None:
        """
        The clients that knock take none of the files that Connect needs: it says how
        many connections it takes, answers operators, and reaches a Message that was
        started again; who is there goes on.
        """
        message, connect = self.installation.message, self.installation.connect
        await self.installation.start()
        one, two = await self.device(self.user()), await self.device(self.user())
        crowd = Crowd(connect.port("listen"))
        self.at_end(crowd.stop)
        async with asyncio.timeout(60):
            while not await metric(
                connect, 'wsmsg_connect_refused_total{reason="connections"}'
            ):
                await asyncio.sleep(0.1)  # other processes have no event to wait for
        self.assertLessEqual(await metric(connect, "wsmsg_connect_connections"), 128)
        self.assertEqual(await metric(connect, "process_max_fds"), _FILES)
        await message.kill()
        await message.start()
        await message.ready()
        await one.send_until_accepted(two.user, "again", "here still")
        await two.expect("deliver", content="here still")
        self.assertEqual(
            len(connect_lines := self.installation.logged("LimitNOFILE")), 1
        )
        self.assertIn("limits.connections is 50000", connect_lines[0])
