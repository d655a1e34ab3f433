"""
Names of users where there were none, and where clients know none.
"""

from __future__ import annotations

from typing import Any, ClassVar

from tests.asyncio_case import listed
from tests.conformance.websocket import Refused
from tests.integration.cases import eventually, with_daemons
from tests.integration.legacy.cases import LegacyTestCase
from tests.integration.people.names_case import (
    ANNA,
    NAMED,
    NamesCase,
)
from wsmsg.errors import Unauthenticated
from wsmsg.model import conversation_of


class TurnedOnTests(NamesCase):
    """
    An existing store with users who have numbers.
    """

    alone = True
    message: ClassVar[dict[str, Any]] = {}
    connect: ClassVar[dict[str, Any]] = {}

    async def restart(self, **extra: Any) -> None:
        """
        Restart both daemons with other settings.
        """
        for daemon in self.installation.daemons:
            if daemon.running:
                await daemon.terminate()
            daemon.extra = dict(extra)
        await self.installation.start()

    @with_daemons
    async def test_turned_on(self) -> None:
        """
        Users with numbers go on as they were, with their conversations, and talk with
        users who have names; when names are turned off again, only those with names
        stay out, and they have their numbers back when names are on.
        """
        await self.restart()
        old = self.client(1001)
        await old.connect()
        await old.send(1002, "before")
        with self.assertRaises(Unauthenticated):
            await self.client(ANNA).connect()
        await old.close()
        await self.restart(**NAMED)
        old, anna = self.client(1001), self.client(ANNA)
        await old.connect()
        self.assertEqual(old.user, 1001)
        self.assertEqual(len(await listed(old.history("u:1001:1002"))), 1)
        await anna.connect()
        await anna.send(1001, "hello")
        await anna.send("1001", "again")
        await old.send(ANNA, "welcome")
        name = conversation_of(1001, anna.user)

        async def stored() -> bool:
            return len(await listed(old.history(name))) == 3

        await eventually("the three messages", stored)
        senders = [m.sender async for m in old.history(name)]
        self.assertEqual(senders, [anna.user, anna.user, 1001])
        self.assertEqual(old.name_of(anna.user), ANNA)
        self.assertEqual(old.name_of(1001), "1001")
        user = anna.user
        await old.close()
        await anna.close()
        await self.restart()
        old = self.client(1001)
        await old.connect()
        with self.assertRaises(Unauthenticated):
            await self.client(ANNA).connect()
        await old.close()
        await self.restart(**NAMED)
        anna = self.client(ANNA)
        await anna.connect()
        self.assertEqual(anna.user, user)

    @with_daemons
    async def test_in_one_daemon_only(self) -> None:
        """
        If only Connect has the setting, a login with a name is refused with the reason,
        and users with numbers are served.
        """
        await self.restart()
        await self.installation.connect.terminate()
        self.installation.connect.extra = dict(NAMED)
        await self.installation.connect.start()
        await self.installation.connect.ready()
        old, anna = self.client(1001), self.client(ANNA)
        await old.connect()
        anna.start()
        await eventually("the reason", lambda: "users.names" in str(anna.state))


class LegacyNamesTests(LegacyTestCase):
    """
    Clients without a subprotocol where users have names.
    """

    message: ClassVar[dict[str, Any]] = {**LegacyTestCase.message, **NAMED}
    connect: ClassVar[dict[str, Any]] = {**LegacyTestCase.connect, **NAMED}

    @with_daemons
    async def test_numbers_only(self) -> None:
        """
        Such a client of a user with a number talks with a user who has a name, by the
        number; a token with a name is refused in the handshake.
        """
        device = await self.dial(0, token=self.installation.token("ida"))
        welcome = await device.greet()
        user = self.user()
        client = await self.client(user)
        await client.send_text(welcome.user, "hi")
        message = await device.expect("deliver", content="hi")
        self.assertEqual(getattr(message, "from"), user)
        await device.send(user, "c", "ho")
        heard = await client.expect("ho")
        self.assertEqual(getattr(heard, "from"), welcome.user)
        with self.assertRaises(Refused):
            token = self.installation.token("ida")
            await self.stranger(user, token=token).login()
