"""
The status pages of both daemons, in a browser.
"""

from __future__ import annotations

import signal

from tests.browser.play import SHOTS, play
from tests.integration.cases import IntegrationTestCase, with_daemons

_MESSAGES = 200


class StatusPageTests(IntegrationTestCase):
    """
    Pages of Chromium.
    """

    timeout = 600

    @with_daemons
    async def test_pages(self) -> None:
        """
        Both pages ask for the key, show the node in words, and follow a daemon that is
        killed and starts again, or hangs; they load nothing from elsewhere, break no
        rule of accessibility, and show hostile names as text.
        """
        SHOTS.mkdir(parents=True, exist_ok=True)
        installation = self.installation
        daemons = {"connect": installation.connect, "message": installation.message}
        await play(
            self,
            "test/status",
            str(SHOTS),
            *(
                f"{name}=http://127.0.0.1:{daemon.port('admin_listen')}/="
                f"{daemon.admin_key.read_text().strip()}"
                for name, daemon in daemons.items()
            ),
            wishes={
                "suspend connect": lambda: daemons["connect"].signal(signal.SIGSTOP),
                "continue connect": lambda: daemons["connect"].signal(signal.SIGCONT),
                "talk": self._talk,
            },
        )

    async def _talk(self) -> None:
        """
        Have a user send messages, so that the charts have something to show.
        """
        [sender, recipient] = [await self.device(self.user()) for _ in range(2)]
        for number in range(_MESSAGES):
            await sender.send_until_accepted(recipient.user, f"m{number}", "hello")
