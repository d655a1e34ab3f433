"""
The behaviour that L{wsmsg_client.testing} imitates, as the real daemons have it.
"""

from __future__ import annotations

from tests.integration.installation import Installation
from tests.wsmsg_client.contract import ServerContract


class DaemonContractTests(ServerContract.Tests):
    """
    Both daemons, on the embedded backends.
    """

    async def asyncSetUp(self) -> None:
        self.installation = Installation()
        self.addAsyncCleanup(self.installation.stop)
        await self.installation.start()

    def url(self) -> str:
        return self.installation.url

    def token(self, user: int) -> str:
        return self.installation.token(user)
