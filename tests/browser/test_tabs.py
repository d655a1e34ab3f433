"""
Two people in a browser, one of them with five tabs.
"""

from __future__ import annotations

from typing import Any, ClassVar

from tests.browser.play import play, tokens
from tests.integration.cases import IntegrationTestCase, with_daemons
from tests.integration.installation import free_ports


class TabTests(IntegrationTestCase):
    """
    Pages of Chromium.
    """

    timeout = 600
    connect: ClassVar[dict[str, Any]] = {
        "limits.sends_per_s": 2000,
        "limits.sends_burst": 2000,
    }

    @with_daemons
    async def test_tabs(self) -> None:
        """
        Five tabs are one device; the next leads when the leading one is closed; a
        reload keeps unsent messages; killed daemons and a denied IndexedDB lose
        nothing, double nothing and change no order.
        """
        users = [self.user() for _ in range(3)]
        [port] = free_ports(1)
        url = self.installation.url
        await play(self, "test/browser", url, str(port), *tokens(self, *users))
