"""
One hostile address, and logins from elsewhere.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections import Counter
from pathlib import Path

from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus
from websockets.typing import Subprotocol

from tests.integration.cases import IntegrationTestCase, metric, with_daemons

ATTACKER, VICTIM = "127.0.0.2", "127.0.0.3"
RATE, SECONDS = 3000, 5.0
#: A login from elsewhere takes at most so long, on a machine that is busy otherwise.
LOGIN_S = 20.0
REFUSED = 'wsmsg_connect_refused_total{{reason="{}"}}'


class OneAddressTests(IntegrationTestCase):
    """
    The attacker is a process of its own, so that the daemons alone are attacked.
    """

    @with_daemons
    async def test_row_9_logins_from_elsewhere(self) -> None:
        """
        While one address tries 3,000 handshakes a second, every login from another one
        is welcomed; the attacker is refused by its address, and cannot fill the log.
        """
        connect_, tries = self.installation.connect, []
        size = connect_.log.stat().st_size
        attack = await asyncio.create_subprocess_exec(
            *(sys.executable, str(Path(__file__).parent / "attacker.py")),
            *(str(connect_.port("listen")), ATTACKER, str(RATE), str(SECONDS)),
            stdout=asyncio.subprocess.PIPE,
        )
        told: Counter[str] = Counter()
        end_s = time.monotonic() + SECONDS
        while (begun_s := time.monotonic()) < end_s:
            told[await self.log_in()] += 1
            tries.append(time.monotonic() - begun_s)
            await asyncio.sleep(0.05)  # logins at a steady rate
        out, _ = await attack.communicate()
        self.assertEqual(set(told), {"welcome"}, told)
        self.assertGreater(told["welcome"], 2)
        self.assertLess(max(tries), LOGIN_S)
        refused = await metric(connect_, REFUSED.format("address_handshakes"))
        self.assertGreater(refused, int(out) / 2)
        self.assertEqual(await metric(connect_, REFUSED.format("handshakes")), 0)
        lines = [x for x in connect_.lines() if ATTACKER in x]
        self.assertLessEqual(len(lines), 10)
        self.assertLess(connect_.log.stat().st_size - size, 100_000)

    async def log_in(self) -> str:
        """
        Log in once from the other address.

        @return: the type of the first frame, or the status of a refusal.
        """
        user = self.user()
        headers = {"Authorization": f"Bearer {self.installation.token(user)}"}
        try:
            async with connect(
                self.installation.url,
                additional_headers=headers,
                subprotocols=[Subprotocol("wsmsg.v1.json")],
                local_addr=(VICTIM, 0),
                open_timeout=LOGIN_S,
                close_timeout=1,
            ) as connection:
                await connection.send(json.dumps({"type": "hello", "device": "d"}))
                return str(json.loads(await connection.recv())["type"])
        except InvalidStatus as e:
            return str(e.response.status_code)
